"""`/v1/batches`: submit many assessments, follow them, fetch what they answer, cancel and erase."""

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

from service.api.admission import refuse_full_lane
from service.api.dependencies import Authenticated, Parts, RequestId, RunningParts
from service.api.idempotency import OncePerKey
from service.api.intake.batch import ArchiveIntake, BatchLimits, HashedBody, is_archive, read_lines
from service.api.intake.body import body_of
from service.api.openapi.batches import BATCH, BATCHES, LINES_OF_JSON, SUBMISSION
from service.api.openapi.problems import problems, responses
from service.api.schemas.batches import BatchPageView, BatchView, batch_path, batch_view
from service.assessments.states import Priority
from service.auth.caller import Caller
from service.batches.lifecycle import cancel_lines, erase_batch
from service.batches.output import (
    LinesBetween,
    errors_between,
    last_line,
    lines_of_file,
    lines_so_far,
    output_between,
)
from service.batches.repository import BatchRepository
from service.batches.states import ENDED, Batch
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
from service.idempotency import Answer
from service.observability.metrics import SUBMISSIONS

FIRST_POLL_SECONDS = 1
LONGEST_POLL_SECONDS = 30
POLLS = 20  # on the way to the end
AT_ONCE = timedelta(seconds=20)
LARGEST_PAGE = 100

router = APIRouter(prefix="/batches", tags=["batches"])


@router.post(
    "",
    status_code=202,
    response_model=BatchView,
    summary="Submit many recordings",
    openapi_extra=SUBMISSION,
    responses=responses(
        202,
        BATCH,
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
    caller: Authenticated,
    parts: RunningParts,
    request_id: RequestId,
    once: OncePerKey,
) -> BatchView | Response:
    """One assessment a line, by uploads or in a tar; all lines are accepted, or none."""
    archive, batch_id, limits = is_archive(request), str(uuid.uuid4()), _limits(parts)
    _refuse_announced(request, limits)
    body = HashedBody(body_of(request, parts.settings.request_lease))
    if once.repeats:
        return once.again(await body.read_digest())
    await run_in_threadpool(refuse_full_lane, parts, caller)
    submission = await run_in_threadpool(BatchSubmission, parts.database, caller, batch_id, request_id)
    if archive:
        batch = await _take_archive(body, parts, submission, limits, partial(_answered, caller, once))
    else:
        lines = await read_lines(body.chunks(), submission.tasks, limits)
        answered = partial(_answered, caller, once, await body.read_digest())
        batch = await run_in_threadpool(submission.take_uploaded, lines, parts.objects, limits.transcript, answered)
    parts.sweeper.wake()
    SUBMISSIONS.labels(priority=Priority.BATCH, outcome="accepted").inc(batch.lines)
    response.headers["Location"] = batch_path(batch.id)
    return await run_in_threadpool(_view, response, caller, parts, batch.id)


@router.get(
    "",
    response_model=BatchPageView,
    summary="List batches",
    responses=responses(200, BATCHES, Unauthenticated, InvalidRequest, DatabaseUnavailable),
)
def list_batches(
    response: Response,
    caller: Authenticated,
    parts: RunningParts,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 20,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> BatchPageView:
    """Newest first, each with the counts of its lines."""
    with parts.database.reading() as session:
        batches = BatchRepository(session, caller)
        page = batches.page(limit=limit, cursor=cursor)
        items = tuple(_seen(batches, batch) for batch in page.items)
    response.headers["Cache-Control"] = "no-store"
    return BatchPageView(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{batch_id}",
    response_model=BatchView,
    summary="Look a batch up",
    responses=responses(200, BATCH, Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
)
def read_batch(batch_id: str, response: Response, caller: Authenticated, parts: RunningParts) -> BatchView:
    """Where its lines stand, and when the last of them is expected to end."""
    return _view(response, caller, parts, batch_id)


@router.get(
    "/{batch_id}/output",
    response_class=StreamingResponse,
    summary="The results of a batch",
    responses={
        200: LINES_OF_JSON["output"],
        **problems(Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
def read_output(batch_id: str, caller: Authenticated, parts: RunningParts) -> StreamingResponse:
    """Lines that have a result, in their order, as JSON lines; before the end, those that are there so far."""
    batch = _batch(parts, caller, batch_id)
    return _lines(parts, batch, batch.output_key, output_between)


@router.get(
    "/{batch_id}/errors",
    response_class=StreamingResponse,
    summary="The failed and cancelled lines of a batch",
    responses={
        200: LINES_OF_JSON["errors"],
        **problems(Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
def read_errors(batch_id: str, caller: Authenticated, parts: RunningParts) -> StreamingResponse:
    """Lines without a result, in their order, as JSON lines; before the end, those that are there so far."""
    batch = _batch(parts, caller, batch_id)
    return _lines(parts, batch, batch.errors_key, errors_between)


@router.delete(
    "/{batch_id}",
    status_code=204,
    summary="Cancel or erase a batch",
    responses={
        202: {"description": "Under way; the service goes on by itself"},
        **problems(Unauthenticated, BatchNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
def delete_batch(batch_id: str, caller: Authenticated, parts: RunningParts) -> Response:
    """Before its end the open lines are cancelled; afterwards the batch and all its assessments are erased."""
    database = parts.database
    if database.write(lambda session: BatchRepository(session, caller).begin_cancelling(batch_id)):
        done = cancel_lines(database, batch_id, AT_ONCE)
    else:
        database.write(lambda session: BatchRepository(session, caller).begin_erasing(batch_id))
        done = erase_batch(database, parts.objects, batch_id, AT_ONCE)
    return Response(status_code=204 if done else 202)


async def _take_archive(
    body: HashedBody,
    parts: Parts,
    submission: BatchSubmission,
    limits: BatchLimits,
    answered: Callable[[str, Session, Batch], None],
) -> Batch:
    intake = ArchiveIntake(parts.objects, submission.tasks, limits)
    lines = await intake.receive(body.chunks())
    try:
        then = partial(answered, await body.read_digest())
        return await run_in_threadpool(submission.take_stored, lines, then)
    except Exception as error:
        if not isinstance(error, SQLAlchemyError):  # else it may be there all the same
            await intake.discard()
        raise


def _answered(caller: Caller, once: OncePerKey, digest: str, session: Session, batch: Batch) -> None:
    body = _seen(BatchRepository(session, caller), batch).model_dump_json()
    once.complete(session, digest, Answer(status=202, location=batch_path(batch.id), body=body))


def _refuse_announced(request: Request, limits: BatchLimits) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.archive:
        raise TooLarge(f"The batch is larger than {limits.archive} bytes.")


def _limits(parts: Parts) -> BatchLimits:
    settings = parts.settings
    return BatchLimits(
        lines=settings.batch_lines,
        archive=settings.batch_limit,
        recording=settings.upload_limit,
        transcript=settings.transcript_limit,
    )


def _view(response: Response, caller: Caller, parts: Parts, batch_id: str) -> BatchView:
    def see(session: Session) -> tuple[Batch, BatchView]:
        batches = BatchRepository(session, caller)
        batch = batches.get(batch_id)
        return batch, _seen(batches, batch)

    batch, view = parts.database.read(see)
    response.headers["Cache-Control"] = "no-store"
    if batch.state not in ENDED:
        response.headers["Retry-After"] = str(_poll_after(view.eta_seconds))
    return view


def _seen(batches: BatchRepository, batch: Batch) -> BatchView:
    counts = batches.counts(batch)
    return batch_view(batch, counts, batches.seconds_left(batch, counts))


def _poll_after(eta: float | None) -> int:
    if eta is None:
        return FIRST_POLL_SECONDS
    return round(min(LONGEST_POLL_SECONDS, max(1, eta / POLLS)))


def _batch(parts: Parts, caller: Caller, batch_id: str) -> Batch:
    with parts.database.reading() as session:
        return BatchRepository(session, caller).get(batch_id)


def _lines(parts: Parts, batch: Batch, key: str | None, between: LinesBetween) -> StreamingResponse:
    if key is not None:
        content = lines_of_file(parts.objects, key)
    else:
        last = last_line(parts.database, batch.id)
        content = lines_so_far(between, parts.database, parts.objects, batch.id, last)
    return StreamingResponse(content, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})
