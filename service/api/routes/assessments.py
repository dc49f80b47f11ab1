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
from service.api.admission import AdmittedSubmission, AdmittedSubmissionDep
from service.api.dependencies import CallerDep, Components, ComponentsDep, RequestIdDep
from service.api.intake.body import refuse_oversized
from service.api.intake.form import ReceivedSubmission
from service.api.intake.submission import discard_if_refused, hash_submission, receive_submission
from service.api.openapi.examples import ASSESSMENT_PAGE, QUEUED_ASSESSMENT, SUCCEEDED_ASSESSMENT
from service.api.openapi.problems import SUBMISSION_REQUEST_BODY, problem_responses, responses
from service.api.prefer_wait import PreferWaitDep
from service.api.schemas.assessments import (
    AssessmentPage,
    AssessmentView,
    assessment_path,
    assessment_summary,
    assessment_view,
)
from service.assessments.repository import AssessmentRepository
from service.assessments.result import Result
from service.assessments.states import Assessment, NewAssessment, Priority, State
from service.assessments.submission import find_model, require_models, submit
from service.auth.caller import Caller
from service.batches.lifecycle import invalidate_files
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
from service.idempotency import StoredResponse
from service.maintenance.retention import remove_material, retention
from service.storage.objects import assessment_prefix

MAX_PAGE_SIZE = 100

router = APIRouter(prefix="/assessments", tags=["assessments"])


@router.post(
    "",
    status_code=202,
    response_model=AssessmentView,
    summary="Submit a recording",
    openapi_extra=SUBMISSION_REQUEST_BODY,
    responses=responses(
        202,
        QUEUED_ASSESSMENT,
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
    components: ComponentsDep,
    submission: AdmittedSubmissionDep,
    wait: PreferWaitDep,
    request_id: RequestIdDep,
) -> AssessmentView | Response:
    """Send audio, a transcript, or both, or name uploads; `Location` says where the result will be."""
    refuse_oversized(request, components.settings.upload_limit, "request")
    if submission.idempotency.is_replay:
        return submission.idempotency.replay(await hash_submission(request, components.settings))
    # Before the body is read and stored: nobody could score it yet.
    await run_in_threadpool(require_models, components.database)
    assessment_id = str(uuid.uuid4())
    received = await receive_submission(request, assessment_id, submission.caller, components)
    order = partial(_new_assessment, assessment_id, request_id, received)
    try:
        assessment, queue_position = await run_in_threadpool(_store_assessment, components, submission, order, received)
    except Exception as error:
        await discard_if_refused(error, assessment_id, components.objects)
        raise
    # After the commit, because a message wakes a worker that has to find the row (decision 0002).
    components.sweeper.wake()
    response.headers["Location"] = assessment_path(assessment_id)
    await run_in_threadpool(submission.mark_accepted, assessment)
    if wait.seconds is None:
        _set_retry_after(response, queue_position)
        return assessment_view(assessment, None, queue_position)
    await wait.until_final(assessment)
    return await run_in_threadpool(_view_after_wait, components, submission.caller, assessment, response)


@router.get(
    "",
    response_model=AssessmentPage,
    summary="List assessments",
    responses=responses(200, ASSESSMENT_PAGE, Unauthenticated, InvalidRequest, DatabaseUnavailable),
)
def list_assessments(
    response: Response,
    caller: CallerDep,
    components: ComponentsDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 20,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
    state: Annotated[State | None, Query()] = None,
) -> AssessmentPage:
    """Newest first, without results."""
    with components.database.reading() as session:
        page = AssessmentRepository(session, caller).page(limit=limit, cursor=cursor, state=state)
    response.headers["Cache-Control"] = "no-store"
    items = tuple(assessment_summary(item, components.queue_positions.position_of(item)) for item in page.items)
    return AssessmentPage(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{assessment_id}",
    response_model=AssessmentView,
    summary="Look an assessment up",
    responses=responses(
        200, SUCCEEDED_ASSESSMENT, Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable
    ),
)
async def read_assessment(
    assessment_id: str, response: Response, caller: CallerDep, components: ComponentsDep, wait: PreferWaitDep
) -> AssessmentView:
    """The state of the assessment, and its result once it is final."""
    if wait.seconds is not None:
        await wait.until_final(await run_in_threadpool(_find_assessment, components, caller, assessment_id))
    return await run_in_threadpool(_current_view, components, caller, assessment_id, response)


@router.delete(
    "/{assessment_id}",
    status_code=204,
    summary="Cancel or erase an assessment",
    responses=problem_responses(Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable),
)
def delete_assessment(assessment_id: str, caller: CallerDep, components: ComponentsDep) -> None:
    """An unfinished assessment is cancelled; a final one is erased with all its objects."""

    def cancel(session: Session) -> tuple[bool, str | None]:
        assessments = AssessmentRepository(session, caller)
        return assessments.cancel(assessment_id), assessments.get(assessment_id).batch_id

    cancelled, batch_id = components.database.write(cancel)
    # By its keys, since a file that was uploaded beforehand lies under its upload and not under the assessment.
    remove_material(
        components.database, components.objects, retention(components.settings), assessment_id, erased=not cancelled
    )
    if cancelled:
        components.sweeper.wake()  # the sweeper publishes the webhook deliveries
        return
    # Objects before the row: a crash in between leaves the row, by which the client can erase again.
    components.objects.delete(assessment_prefix(assessment_id))
    components.database.write(lambda session: AssessmentRepository(session, caller).erase(assessment_id))
    if batch_id is not None:
        invalidate_files(components.database, components.objects, batch_id)


def _store_assessment(
    components: Components,
    submission: AdmittedSubmission,
    order: Callable[[str, Priority], NewAssessment],
    received: ReceivedSubmission,
) -> tuple[Assessment, QueuePosition]:
    priority = submission.priority_of(received.metadata)
    model = find_model(components.database, received.metadata.task)

    components.queue_positions.snapshot()  # refreshed here if it is old, not while the transaction is open
    queue_position = QueuePosition()

    def answered(session: Session, assessment: Assessment) -> None:
        nonlocal queue_position
        queue_position = components.queue_positions.position_of(assessment)
        body = assessment_view(assessment, None, queue_position).model_dump_json()
        response = StoredResponse(status=202, location=assessment_path(assessment.id), body=body)
        submission.idempotency.complete(session, received.digest, response)

    ordered = order(model.bundle, priority)
    assessment = submit(components.database, submission.caller, ordered, uploads=received.uploads, then=answered)
    return assessment, queue_position


def _new_assessment(
    assessment_id: str, request_id: str, received: ReceivedSubmission, bundle: str, priority: Priority
) -> NewAssessment:
    return NewAssessment(
        id=assessment_id,
        task=received.metadata.task,
        reference=received.metadata.reference,
        priority=priority,
        bundle=bundle,
        request_id=request_id,
        audio_key=received.audio_key,
        transcript_key=received.transcript_key,
        audio_seconds=received.audio_seconds,
        recording=received.metadata.recording_options(),
    )


def _view_after_wait(
    components: Components, caller: Caller, assessment: Assessment, response: Response
) -> AssessmentView:
    """The view after the wait; the assessment as accepted when it cannot be read, for the submission succeeded."""
    try:
        return _current_view(components, caller, assessment.id, response)
    except (SQLAlchemyError, AssessmentNotFound):
        _set_retry_after(response, QueuePosition())
        return assessment_view(assessment, None)


def _find_assessment(components: Components, caller: Caller, assessment_id: str) -> Assessment:
    with components.database.reading() as session:
        return AssessmentRepository(session, caller).get(assessment_id)


def _current_view(components: Components, caller: Caller, assessment_id: str, response: Response) -> AssessmentView:
    assessment = _find_assessment(components, caller, assessment_id)
    result = None if assessment.result_key is None else _read_result(components, assessment.result_key)
    queue_position = components.queue_positions.position_of(assessment)
    response.headers["Cache-Control"] = "no-store"
    if not assessment.state.final:
        _set_retry_after(response, queue_position)
    return assessment_view(assessment, result, queue_position)


def _set_retry_after(response: Response, queue_position: QueuePosition) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Retry-After"] = str(poll_after_seconds(queue_position))


def _read_result(components: Components, key: str) -> Result:
    try:
        return Result.model_validate_json(components.objects.get(key))
    except FileNotFoundError:  # erased between the two reads
        raise AssessmentNotFound("There is no assessment with this id.") from None
