"""`/v1/assessments`: submit, look up, list, cancel and erase."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import Authenticated, Parts, RequestId, RunningParts
from service.api.examples import PAGE, QUEUED, SUCCEEDED
from service.api.openapi import SUBMISSION, problems, responses
from service.api.schemas import (
    AssessmentPage,
    AssessmentView,
    assessment_path,
    summary_of,
    view_of,
)
from service.api.uploads import Upload, discard, receive, refuse_announced
from service.auth.caller import Caller
from service.errors import (
    AssessmentNotFound,
    AudioEmpty,
    AudioUnsupported,
    DatabaseUnavailable,
    InvalidRequest,
    MalformedUpload,
    MaterialMissing,
    ModelNotReady,
    TooLarge,
    TranscriptEmpty,
    TranscriptNotUtf8,
    Unauthenticated,
    UnknownTask,
)
from service.jobs.assessment import Assessment, Order, State
from service.jobs.repository import AssessmentRepository
from service.jobs.result import Result
from service.jobs.retention import remove_material, retention
from service.jobs.submission import model_for, require_model, submit
from service.storage.objects import assessment_prefix

POLL_AFTER_SECONDS = "2"
LARGEST_PAGE = 100

router = APIRouter(prefix="/assessments", tags=["assessments"])


@router.post(
    "",
    status_code=202,
    response_model=AssessmentView,
    summary="Submit a recording",
    openapi_extra=SUBMISSION,
    responses=responses(
        202,
        QUEUED,
        MalformedUpload,
        Unauthenticated,
        TooLarge,
        AudioUnsupported,
        InvalidRequest,
        MaterialMissing,
        AudioEmpty,
        TranscriptEmpty,
        TranscriptNotUtf8,
        UnknownTask,
        ModelNotReady,
        DatabaseUnavailable,
    ),
)
async def create_assessment(
    request: Request, response: Response, caller: Authenticated, parts: RunningParts, request_id: RequestId
) -> AssessmentView:
    """Send audio, a transcript, or both; the answer says where to look for the result."""
    refuse_announced(request, parts.limits)
    await run_in_threadpool(require_model, parts.database)
    assessment_id = str(uuid.uuid4())
    upload = await receive(request, assessment_id, parts.objects, parts.limits)
    try:
        assessment = await run_in_threadpool(_accept, parts, caller, upload, assessment_id, request_id)
    except Exception:
        await discard(assessment_id, parts.objects)
        raise
    parts.sweeper.wake()
    response.headers["Location"] = assessment_path(assessment_id)
    _tell_to_wait(response, assessment)
    return view_of(assessment, None)


@router.get(
    "",
    response_model=AssessmentPage,
    summary="List assessments",
    responses=responses(200, PAGE, Unauthenticated, InvalidRequest, DatabaseUnavailable),
)
def list_assessments(
    response: Response,
    caller: Authenticated,
    parts: RunningParts,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 20,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
    state: Annotated[State | None, Query()] = None,
) -> AssessmentPage:
    """Newest first, without results."""
    with parts.database.reading() as session:
        page = AssessmentRepository(session, caller).page(limit=limit, cursor=cursor, state=state)
    response.headers["Cache-Control"] = "no-store"
    return AssessmentPage(items=tuple(map(summary_of, page.items)), next_cursor=page.next_cursor)


@router.get(
    "/{assessment_id}",
    response_model=AssessmentView,
    summary="Look an assessment up",
    responses=responses(200, SUCCEEDED, Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable),
)
def read_assessment(
    assessment_id: str, response: Response, caller: Authenticated, parts: RunningParts
) -> AssessmentView:
    """Where the assessment stands, and its result once there is one."""
    with parts.database.reading() as session:
        assessment = AssessmentRepository(session, caller).get(assessment_id)
    result = None
    if assessment.result_key is not None:
        result = _stored_result(parts, assessment.result_key)
    _tell_to_wait(response, assessment)
    return view_of(assessment, result)


@router.delete(
    "/{assessment_id}",
    status_code=204,
    summary="Cancel or erase an assessment",
    responses=problems(Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable),
)
def delete_assessment(assessment_id: str, caller: Authenticated, parts: RunningParts) -> None:
    """Before its end it is cancelled; afterwards the assessment and all its objects are erased."""
    with parts.database.writing() as session:
        cancelled = AssessmentRepository(session, caller).cancel(assessment_id)
    if cancelled:
        remove_material(parts.database, parts.objects, retention(parts.settings), assessment_id)
        return
    parts.objects.delete(assessment_prefix(assessment_id))
    with parts.database.writing() as session:
        AssessmentRepository(session, caller).erase(assessment_id)


def _accept(parts: Parts, caller: Caller, upload: Upload, assessment_id: str, request_id: str) -> Assessment:
    model = model_for(parts.database, upload.metadata.task)
    order = Order(
        id=assessment_id,
        task=upload.metadata.task,
        reference=upload.metadata.reference,
        priority=upload.metadata.priority,
        bundle=model.bundle,
        request_id=request_id,
        audio_key=upload.audio_key,
        transcript_key=upload.transcript_key,
    )
    return submit(parts.database, caller, order)


def _stored_result(parts: Parts, key: str) -> Result:
    try:
        return Result.model_validate_json(parts.objects.get(key))
    except FileNotFoundError:  # erased between the two reads
        raise AssessmentNotFound("There is no assessment with this id.") from None


def _tell_to_wait(response: Response, assessment: Assessment) -> None:
    response.headers["Cache-Control"] = "no-store"
    if not assessment.state.final:
        response.headers["Retry-After"] = POLL_AFTER_SECONDS
