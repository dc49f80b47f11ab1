"""`/v1/batches`: submit many assessments, follow them, fetch their results, cancel and erase."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.admission import require_batch_capacity
from service.api.dependencies import CallerDep, Components, ComponentsDep, RequestIdDep
from service.api.idempotency import IdempotentRequestDep
from service.api.intake.batch import BatchLimits, HashedBody, TarBatchReader, is_archive, read_lines
from service.api.intake.body import read_body, refuse_oversized
from service.api.openapi.batches import BATCH_EXAMPLE, BATCH_PAGE_EXAMPLE, BATCH_REQUEST_BODY, JSON_LINES_RESPONSES
from service.api.openapi.problems import problem_responses, responses
from service.api.schemas.batches import BatchPageView, BatchView, batch_path, batch_view
from service.assessments.states import Priority
from service.auth.caller import Caller
from service.batches.lifecycle import cancel_lines, erase_batch
from service.batches.output import (
    LineSource,
    error_lines,
    last_line_number,
    result_lines,
    stream_file,
    stream_lines,
)
from service.batches.repository import BatchRepository
from service.batches.states import FINAL_BATCH_STATES, Batch
from service.batches.submission import BatchSubmission
from service.errors.not_found import BatchNotFound
from service.errors.request import (
    BatchInvalid,
    BatchUnreadable,
    BatchUnsupported,
    BodyStalled,
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidRequest,
    TooLarge,
)
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable, ModelNotReady, Overloaded
from service.idempotency import StoredResponse
from service.observability.metrics import SUBMISSIONS

MIN_POLL_SECONDS = 1
MAX_POLL_SECONDS = 30
POLLS_PER_BATCH = 20  # a client polls about this often until the batch ends
# What is left after it the sweeper does (decision 0030).
REQUEST_BUDGET = timedelta(seconds=20)
MAX_PAGE_SIZE = 100

router = APIRouter(prefix="/batches", tags=["batches"])


@router.post(
    "",
    status_code=202,
    response_model=BatchView,
    summary="Submit many recordings",
    openapi_extra=BATCH_REQUEST_BODY,
    responses=responses(
        202,
        BATCH_EXAMPLE,
        BatchUnreadable,
        IdempotencyKeyInvalid,
        Unauthenticated,
        BodyStalled,
        IdempotencyInFlight,
        TooLarge,
        BatchUnsupported,
        BatchInvalid,
        IdempotencyKeyReused,
        ModelNotReady,
        Overloaded,
        DatabaseUnavailable,
    ),
)
async def create_batch(
    request: Request,
    response: Response,
    caller: CallerDep,
    components: ComponentsDep,
    request_id: RequestIdDep,
    idempotency: IdempotentRequestDep,
) -> BatchView | Response:
    """One assessment a line, by uploads or in a tar; all lines are accepted, or none."""
    archive, batch_id, limits = is_archive(request), str(uuid.uuid4()), _batch_limits(components)
    refuse_oversized(request, limits.archive, "batch")
    body = HashedBody(read_body(request, components.settings.request_lease))
    if idempotency.is_replay:
        return idempotency.replay(await body.read_digest())
    await run_in_threadpool(require_batch_capacity, components, caller)
    submission = await run_in_threadpool(BatchSubmission, components.database, caller, batch_id, request_id)
    if archive:
        batch = await _store_archive(
            body, components, submission, limits, partial(_store_response, caller, idempotency)
        )
    else:
        lines = await read_lines(body.chunks(), submission.tasks, limits)
        store_response = partial(_store_response, caller, idempotency, await body.read_digest())
        batch = await run_in_threadpool(
            submission.submit_uploaded, lines, components.objects, limits.transcript, store_response
        )
    components.sweeper.wake()
    SUBMISSIONS.labels(priority=Priority.BATCH, outcome="accepted").inc(batch.lines)
    response.headers["Location"] = batch_path(batch.id)
    return await run_in_threadpool(_current_view, response, caller, components, batch.id)


@router.get(
    "",
    response_model=BatchPageView,
    summary="List batches",
    responses=responses(200, BATCH_PAGE_EXAMPLE, Unauthenticated, InvalidRequest, DatabaseUnavailable),
)
def list_batches(
    response: Response,
    caller: CallerDep,
    components: ComponentsDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 20,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> BatchPageView:
    """Newest first, each with the counts of its lines."""
    with components.database.reading() as session:
        batches = BatchRepository(session, caller)
        page = batches.page(limit=limit, cursor=cursor)
        items = tuple(_batch_view(batches, batch) for batch in page.items)
    response.headers["Cache-Control"] = "no-store"
    return BatchPageView(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{batch_id}",
    response_model=BatchView,
    summary="Look a batch up",
    responses=responses(200, BATCH_EXAMPLE, Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
)
def read_batch(batch_id: str, response: Response, caller: CallerDep, components: ComponentsDep) -> BatchView:
    """The counts of its lines by state, and when the last is expected to end."""
    return _current_view(response, caller, components, batch_id)


@router.get(
    "/{batch_id}/output",
    response_class=StreamingResponse,
    summary="The results of a batch",
    responses={
        200: JSON_LINES_RESPONSES["output"],
        **problem_responses(Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
def read_output(batch_id: str, caller: CallerDep, components: ComponentsDep) -> StreamingResponse:
    """Lines with a result, in their order, as JSON lines; before the end, those that are ready so far."""
    batch = _find_batch(components, caller, batch_id)
    return _stream_lines(components, batch, batch.output_key, result_lines)


@router.get(
    "/{batch_id}/errors",
    response_class=StreamingResponse,
    summary="The failed and cancelled lines of a batch",
    responses={
        200: JSON_LINES_RESPONSES["errors"],
        **problem_responses(Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
def read_errors(batch_id: str, caller: CallerDep, components: ComponentsDep) -> StreamingResponse:
    """Failed and cancelled lines, in their order, as JSON lines; before the end, those so far."""
    batch = _find_batch(components, caller, batch_id)
    return _stream_lines(components, batch, batch.errors_key, error_lines)


@router.delete(
    "/{batch_id}",
    status_code=204,
    summary="Cancel or erase a batch",
    responses={
        202: {"description": "In progress; the service continues in the background"},
        **problem_responses(Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
def delete_batch(batch_id: str, caller: CallerDep, components: ComponentsDep) -> Response:
    """The unfinished lines of a running batch are cancelled; a final batch is erased with all its assessments."""
    database = components.database
    if database.write(lambda session: BatchRepository(session, caller).begin_cancelling(batch_id)):
        done = cancel_lines(database, batch_id, REQUEST_BUDGET)
    else:
        database.write(lambda session: BatchRepository(session, caller).begin_erasing(batch_id))
        done = erase_batch(database, components.objects, batch_id, REQUEST_BUDGET)
    return Response(status_code=204 if done else 202)


async def _store_archive(
    body: HashedBody,
    components: Components,
    submission: BatchSubmission,
    limits: BatchLimits,
    store_response: Callable[[str, Session, Batch], None],
) -> Batch:
    intake = TarBatchReader(components.objects, submission.tasks, limits)
    lines = await intake.receive(body.chunks())
    try:
        store_response = partial(store_response, await body.read_digest())
        return await run_in_threadpool(submission.submit_stored, lines, store_response)
    except Exception as error:
        if not isinstance(error, SQLAlchemyError):  # after an error of the database the batch may be committed
            await intake.discard()
        raise


def _store_response(
    caller: Caller, idempotency: IdempotentRequestDep, digest: str, session: Session, batch: Batch
) -> None:
    body = _batch_view(BatchRepository(session, caller), batch).model_dump_json()
    idempotency.complete(session, digest, StoredResponse(status=202, location=batch_path(batch.id), body=body))


def _batch_limits(components: Components) -> BatchLimits:
    settings = components.settings
    return BatchLimits(
        lines=settings.batch_lines,
        archive=settings.batch_limit,
        recording=settings.upload_limit,
        transcript=settings.transcript_limit,
    )


def _current_view(response: Response, caller: Caller, components: Components, batch_id: str) -> BatchView:
    def see(session: Session) -> tuple[Batch, BatchView]:
        batches = BatchRepository(session, caller)
        batch = batches.get(batch_id)
        return batch, _batch_view(batches, batch)

    batch, view = components.database.read(see)
    response.headers["Cache-Control"] = "no-store"
    if batch.state not in FINAL_BATCH_STATES:
        response.headers["Retry-After"] = str(_retry_after(view.eta_seconds))
    return view


def _batch_view(batches: BatchRepository, batch: Batch) -> BatchView:
    counts = batches.counts(batch)
    return batch_view(batch, counts, batches.eta_seconds(batch, counts))


def _retry_after(eta: float | None) -> int:
    if eta is None:
        return MIN_POLL_SECONDS
    return round(min(MAX_POLL_SECONDS, max(1, eta / POLLS_PER_BATCH)))


def _find_batch(components: Components, caller: Caller, batch_id: str) -> Batch:
    with components.database.reading() as session:
        return BatchRepository(session, caller).get(batch_id)


def _stream_lines(components: Components, batch: Batch, key: str | None, between: LineSource) -> StreamingResponse:
    if key is not None:
        content = stream_file(components.objects, key)
    else:
        last = last_line_number(components.database, batch.id)
        content = stream_lines(between, components.database, components.objects, batch.id, last)
    return StreamingResponse(content, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})
