"""`/v1/assessments`: submit, look up, list, cancel and erase."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.admission.queue_position import QueuePosition, poll_after_seconds
from service.api.admission import Entered, Entry
from service.api.dependencies import Authenticated, Parts, RequestId, RunningParts
from service.api.intake.form import Received, refuse_announced
from service.api.intake.submission import digest_of_submission, discard_refused, receive_submission
from service.api.openapi.examples import PAGE, QUEUED, SUCCEEDED
from service.api.openapi.problems import SUBMISSION, problems, responses
from service.api.prefer_wait import PreferredWait
from service.api.schemas.assessments import (
    AssessmentPage,
    AssessmentView,
    assessment_path,
    summary_of,
    view_of,
)
from service.assessments.repository import AssessmentRepository
from service.assessments.result import Result
from service.assessments.states import Assessment, Order, Priority, State
from service.assessments.submission import model_for, require_model, submit
from service.auth.caller import Caller
from service.batches.lifecycle import withdraw_line
from service.errors.not_found import AssessmentNotFound, UploadNotFound
from service.errors.request import (
    AudioEmpty,
    AudioUnsupported,
    BodyStalled,
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidRequest,
    MalformedUpload,
    MaterialMissing,
    TooLarge,
    TranscriptEmpty,
    TranscriptNotUtf8,
    UnknownTask,
    UploadIncomplete,
    UploadUsed,
)
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable, ModelNotReady, Overloaded, TooManyAssessments
from service.idempotency import Answer
from service.maintenance.retention import remove_material, retention
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
) -> AssessmentView | Response:
    """Send audio, a transcript, or both, or name uploads; the answer says where to look for the result."""
    refuse_announced(request, parts.settings)
    if entry.once.repeats:
        return entry.once.again(await digest_of_submission(request, parts.settings))
    await run_in_threadpool(require_model, parts.database)
    assessment_id = str(uuid.uuid4())
    received = await receive_submission(request, assessment_id, entry.caller, parts)
    order = partial(_order, assessment_id, request_id, received)
    try:
        assessment, queue_position = await run_in_threadpool(_accept, parts, entry, order, received)
    except Exception as error:
        await discard_refused(error, assessment_id, parts.objects)
        raise
    parts.sweeper.wake()
    response.headers["Location"] = assessment_path(assessment_id)
    await run_in_threadpool(entry.accepted, assessment)
    if wait.seconds is None:
        _tell_to_wait(response, queue_position)
        return view_of(assessment, None, queue_position)
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
    items = tuple(summary_of(item, parts.queue_positions.position_of(item)) for item in page.items)
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

    def cancel(session: Session) -> tuple[bool, str | None]:
        assessments = AssessmentRepository(session, caller)
        return assessments.cancel(assessment_id), assessments.get(assessment_id).batch_id

    cancelled, batch_id = parts.database.write(cancel)
    remove_material(parts.database, parts.objects, retention(parts.settings), assessment_id, erased=not cancelled)
    if cancelled:
        parts.sweeper.wake()  # webhooks are told
        return
    parts.objects.delete(assessment_prefix(assessment_id))
    parts.database.write(lambda session: AssessmentRepository(session, caller).erase(assessment_id))
    if batch_id is not None:
        withdraw_line(parts.database, parts.objects, batch_id)


def _accept(
    parts: Parts, entry: Entry, order: Callable[[str, Priority], Order], received: Received
) -> tuple[Assessment, QueuePosition]:
    lane = entry.lane_of(received.metadata)
    model = model_for(parts.database, received.metadata.task)

    parts.queue_positions.snapshot()  # read here if need be, not while the transaction is open
    queue_position = QueuePosition()

    def answered(session: Session, assessment: Assessment) -> None:
        nonlocal queue_position
        queue_position = parts.queue_positions.position_of(assessment)
        body = view_of(assessment, None, queue_position).model_dump_json()
        answer = Answer(status=202, location=assessment_path(assessment.id), body=body)
        entry.once.complete(session, received.digest, answer)

    ordered = order(model.bundle, lane)
    assessment = submit(parts.database, entry.caller, ordered, uploads=received.uploads, then=answered)
    return assessment, queue_position


def _order(assessment_id: str, request_id: str, received: Received, bundle: str, lane: Priority) -> Order:
    return Order(
        id=assessment_id,
        task=received.metadata.task,
        reference=received.metadata.reference,
        priority=lane,
        bundle=bundle,
        request_id=request_id,
        audio_key=received.audio_key,
        transcript_key=received.transcript_key,
        audio_seconds=received.audio_seconds,
    )


def _accepted(parts: Parts, caller: Caller, assessment: Assessment, response: Response) -> AssessmentView:
    """As it stands now; where that cannot be told any more, it was accepted all the same."""
    try:
        return _look_up(parts, caller, assessment.id, response)
    except (SQLAlchemyError, AssessmentNotFound):
        _tell_to_wait(response, QueuePosition())
        return view_of(assessment, None)


def _assessment(parts: Parts, caller: Caller, assessment_id: str) -> Assessment:
    with parts.database.reading() as session:
        return AssessmentRepository(session, caller).get(assessment_id)


def _look_up(parts: Parts, caller: Caller, assessment_id: str, response: Response) -> AssessmentView:
    assessment = _assessment(parts, caller, assessment_id)
    result = None if assessment.result_key is None else _stored_result(parts, assessment.result_key)
    queue_position = parts.queue_positions.position_of(assessment)
    response.headers["Cache-Control"] = "no-store"
    if not assessment.state.final:
        _tell_to_wait(response, queue_position)
    return view_of(assessment, result, queue_position)


def _tell_to_wait(response: Response, queue_position: QueuePosition) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Retry-After"] = str(poll_after_seconds(queue_position))


def _stored_result(parts: Parts, key: str) -> Result:
    try:
        return Result.model_validate_json(parts.objects.get(key))
    except FileNotFoundError:  # erased between the two reads
        raise AssessmentNotFound("There is no assessment with this id.") from None
