"""`/v1/assessments`: submit, look up, list, cancel and erase."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import Authenticated, Parts, RequestId, RunningParts
from service.api.examples import PAGE, QUEUED, SUCCEEDED
from service.api.idempotency import OncePerKey
from service.api.openapi import SUBMISSION, problems, responses
from service.api.schemas import (
    AssessmentPage,
    AssessmentView,
    assessment_path,
    summary_of,
    view_of,
)
from service.api.submissions import digest_of_submission, discard_refused, receive_submission
from service.api.uploads import Received, refuse_announced
from service.auth.caller import Caller
from service.errors import (
    AssessmentNotFound,
    AudioEmpty,
    AudioUnsupported,
    BodyStalled,
    DatabaseUnavailable,
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidRequest,
    MalformedUpload,
    MaterialMissing,
    ModelNotReady,
    TooLarge,
    TranscriptEmpty,
    TranscriptNotUtf8,
    Unauthenticated,
    UnknownTask,
    UploadIncomplete,
    UploadNotFound,
    UploadUsed,
)
from service.jobs.assessment import Assessment, Order, State
from service.jobs.batch_ending import withdraw_line
from service.jobs.idempotency import Answer
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
        IdempotencyKeyInvalid,
        Unauthenticated,
        UploadNotFound,
        BodyStalled,
        UploadIncomplete,
        UploadUsed,
        IdempotencyInFlight,
        TooLarge,
        AudioUnsupported,
        InvalidRequest,
        MaterialMissing,
        AudioEmpty,
        TranscriptEmpty,
        TranscriptNotUtf8,
        UnknownTask,
        IdempotencyKeyReused,
        ModelNotReady,
        DatabaseUnavailable,
    ),
)
async def create_assessment(
    request: Request,
    response: Response,
    caller: Authenticated,
    parts: RunningParts,
    request_id: RequestId,
    once: OncePerKey,
) -> AssessmentView | Response:
    """Send audio, a transcript, or both, or name uploads; the answer says where to look for the result."""
    refuse_announced(request, parts.settings)
    if once.repeats:
        return once.again(await digest_of_submission(request, parts.settings))
    await run_in_threadpool(require_model, parts.database)
    assessment_id = str(uuid.uuid4())
    received = await receive_submission(request, assessment_id, caller, parts)
    order = partial(_order, assessment_id, request_id, received)
    try:
        assessment = await run_in_threadpool(_accept, parts, caller, order, received, once)
    except Exception as error:
        await discard_refused(error, assessment_id, parts.objects)
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
        assessments = AssessmentRepository(session, caller)
        batch_id = assessments.get(assessment_id).batch_id
        cancelled = assessments.cancel(assessment_id)
    remove_material(parts.database, parts.objects, retention(parts.settings), assessment_id)
    if cancelled:
        return
    parts.objects.delete(assessment_prefix(assessment_id))
    with parts.database.writing() as session:
        AssessmentRepository(session, caller).erase(assessment_id)
    if batch_id is not None:
        withdraw_line(parts.database, parts.objects, batch_id)


def _accept(
    parts: Parts, caller: Caller, order: Callable[[str], Order], received: Received, once: OncePerKey
) -> Assessment:
    model = model_for(parts.database, received.metadata.task)

    def answered(session: Session, assessment: Assessment) -> None:
        body = view_of(assessment, None).model_dump_json()
        once.complete(session, received.digest, Answer(status=202, location=assessment_path(assessment.id), body=body))

    return submit(parts.database, caller, order(model.bundle), uploads=received.uploads, then=answered)


def _order(assessment_id: str, request_id: str, received: Received, bundle: str) -> Order:
    return Order(
        id=assessment_id,
        task=received.metadata.task,
        reference=received.metadata.reference,
        priority=received.metadata.priority,
        bundle=bundle,
        request_id=request_id,
        audio_key=received.audio_key,
        transcript_key=received.transcript_key,
        audio_seconds=received.audio_seconds,
    )


def _stored_result(parts: Parts, key: str) -> Result:
    try:
        return Result.model_validate_json(parts.objects.get(key))
    except FileNotFoundError:  # erased between the two reads
        raise AssessmentNotFound("There is no assessment with this id.") from None


def _tell_to_wait(response: Response, assessment: Assessment) -> None:
    response.headers["Cache-Control"] = "no-store"
    if not assessment.state.final:
        response.headers["Retry-After"] = POLL_AFTER_SECONDS
