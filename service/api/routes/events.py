"""`/v1/assessments/{id}/events`: an assessment's changes as they happen, as Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from service.api.change_feed import Change
from service.api.dependencies import Authenticated, Parts, RunningParts
from service.api.openapi.examples import LISTED
from service.api.openapi.problems import problems
from service.api.schemas.assessments import summary_of
from service.assessments.repository import AssessmentRepository
from service.auth.caller import Caller
from service.errors.not_found import AssessmentNotFound
from service.errors.request import InvalidRequest
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable

RECONNECT_MILLISECONDS = 2_000
LONGEST_ID = 9
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EXAMPLE = f"event: end\ndata: {LISTED.model_dump_json()}\nid: 5\nretry: {RECONNECT_MILLISECONDS}\n\n"

router = APIRouter(prefix="/assessments", tags=["assessments"])


@router.get(
    "/{assessment_id}/events",
    summary="Follow an assessment",
    response_class=Response,
    responses={
        200: {
            "description": "`progress` for each change and `end` for the last; `data` is the assessment without result",
            "content": {"text/event-stream": {"example": EXAMPLE}},
        },
        204: {"description": "It has ended, and the client was told"},
        **problems(Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
async def follow_assessment(
    assessment_id: str,
    caller: Authenticated,
    parts: RunningParts,
    last_event_id: Annotated[
        str | None, Header(description="id of the last event received: goes on after it", examples=["4"])
    ] = None,
) -> Response:
    """The present state at once, every change after it, and the end; then the stream closes."""
    present = await run_in_threadpool(_present, parts, caller, assessment_id)
    known = _version_of(last_event_id)
    told = known is not None and known >= present.assessment.version
    if told and present.assessment.state.final:
        return Response(status_code=204)
    # FastAPI's own response for events always streams; this route may also answer that there is nothing to tell.
    return StreamingResponse(_events(parts, present, told=told), media_type="text/event-stream", headers=STREAM_HEADERS)


async def _events(parts: Parts, present: Change, *, told: bool) -> AsyncIterator[bytes]:
    assessment = present.assessment
    if not told:
        yield _event(present)
    if assessment.state.final:
        return
    with parts.watcher.follow(assessment.id, assessment.version) as feed:
        while not feed.closed:
            change = await feed.next(parts.watcher.keep_alive)
            if change is not None:
                yield _event(change)
                if change.assessment.state.final:
                    return
            elif not feed.closed:
                yield KEEPALIVE_COMMENT


def _event(change: Change) -> bytes:
    return format_sse_event(
        data_str=summary_of(change.assessment, change.queue_position).model_dump_json(),
        event="end" if change.assessment.state.final else "progress",
        id=str(change.assessment.version),
        retry=RECONNECT_MILLISECONDS,
    )


def _present(parts: Parts, caller: Caller, assessment_id: str) -> Change:
    with parts.database.reading() as session:
        assessment = AssessmentRepository(session, caller).get(assessment_id)
    return Change(assessment=assessment, queue_position=parts.queue_positions.position_of(assessment))


def _version_of(event_id: str | None) -> int | None:
    """Ids that this service did not give are as good as none."""
    known = event_id is not None and event_id.isascii() and event_id.isdigit() and len(event_id) <= LONGEST_ID
    return int(event_id) if known and event_id is not None else None
