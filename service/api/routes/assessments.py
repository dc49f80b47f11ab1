"""`/v1/assessments`: submit, look up, list, cancel and erase."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from service.api.admitting import Entered
from service.api.dependencies import Authenticated, Parts, RequestId, RunningParts
from service.api.examples import PAGE, QUEUED, SUCCEEDED
from service.api.openapi import SUBMISSION, problems, responses
from service.api.preferring import PreferredWait
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
    Overloaded,
    TooLarge,
    TooManyAssessments,
    TranscriptEmpty,
    TranscriptNotUtf8,
    Unauthenticated,
    UnknownTask,
)
from service.jobs.assessment import Assessment, Order, Priority, State
from service.jobs.outlook import Standing, ask_again_after
from service.jobs.repository import AssessmentRepository
from service.jobs.result import Result
from service.jobs.retention import remove_material, retention
from service.jobs.submission import model_for, require_model, submit
from service.storage.objects import assessment_prefix

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
        TooManyAssessments,
        ModelNotReady,
        Overloaded,
        DatabaseUnavailable,
    ),
)
async def create_assessment(
    request: Request,
    response: Response,
    parts: RunningParts,
    entry: Entered,
    wait: PreferredWait,
    request_id: RequestId,
) -> AssessmentView:
    """Send audio, a transcript, or both; the answer says where to look for the result."""
    refuse_announced(request, parts.limits)
    await run_in_threadpool(require_model, parts.database)
    assessment_id = str(uuid.uuid4())
    upload = await receive(request, assessment_id, parts.objects, parts.limits)
    try:
        lane = entry.lane_of(upload.metadata)
        assessment = await run_in_threadpool(_accept, parts, entry.caller, upload, assessment_id, request_id, lane)
    except Exception:
        await discard(assessment_id, parts.objects)
        raise
    parts.sweeper.wake()
    response.headers["Location"] = assessment_path(assessment_id)
    await run_in_threadpool(entry.accepted, assessment)
    await wait.for_end(assessment)
    return await run_in_threadpool(_accepted, parts, entry.caller, assessment, response)


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
    items = tuple(summary_of(item, parts.outlook.of(item)) for item in page.items)
    return AssessmentPage(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{assessment_id}",
    response_model=AssessmentView,
    summary="Look an assessment up",
    responses=responses(200, SUCCEEDED, Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable),
)
async def read_assessment(
    assessment_id: str, response: Response, caller: Authenticated, parts: RunningParts, wait: PreferredWait
) -> AssessmentView:
    """Where the assessment stands, and its result once there is one."""
    if wait.seconds is not None:
        await wait.for_end(await run_in_threadpool(_assessment, parts, caller, assessment_id))
    return await run_in_threadpool(_look_up, parts, caller, assessment_id, response)


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


def _accept(
    parts: Parts, caller: Caller, upload: Upload, assessment_id: str, request_id: str, lane: Priority
) -> Assessment:
    model = model_for(parts.database, upload.metadata.task)
    order = Order(
        id=assessment_id,
        task=upload.metadata.task,
        reference=upload.metadata.reference,
        priority=lane,
        bundle=model.bundle,
        request_id=request_id,
        audio_key=upload.audio_key,
        transcript_key=upload.transcript_key,
    )
    return submit(parts.database, caller, order)


def _accepted(parts: Parts, caller: Caller, assessment: Assessment, response: Response) -> AssessmentView:
    """As it stands now; where that cannot be told any more, it was accepted all the same."""
    try:
        return _look_up(parts, caller, assessment.id, response)
    except (SQLAlchemyError, AssessmentNotFound):
        _tell_to_wait(response, Standing())
        return view_of(assessment, None)


def _assessment(parts: Parts, caller: Caller, assessment_id: str) -> Assessment:
    with parts.database.reading() as session:
        return AssessmentRepository(session, caller).get(assessment_id)


def _look_up(parts: Parts, caller: Caller, assessment_id: str, response: Response) -> AssessmentView:
    assessment = _assessment(parts, caller, assessment_id)
    result = None if assessment.result_key is None else _stored_result(parts, assessment.result_key)
    standing = parts.outlook.of(assessment)
    response.headers["Cache-Control"] = "no-store"
    if not assessment.state.final:
        _tell_to_wait(response, standing)
    return view_of(assessment, result, standing)


def _tell_to_wait(response: Response, standing: Standing) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Retry-After"] = str(ask_again_after(standing))


def _stored_result(parts: Parts, key: str) -> Result:
    try:
        return Result.model_validate_json(parts.objects.get(key))
    except FileNotFoundError:  # erased between the two reads
        raise AssessmentNotFound("There is no assessment with this id.") from None
