"""`/v1/assessments/{id}/events`: the changes of an assessment as Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from service.api.change_feed import AssessmentChange
from service.api.dependencies import CallerDep, Components, ComponentsDep
from service.api.digits import parse_digits
from service.api.openapi.examples import ASSESSMENT_SUMMARY
from service.api.openapi.problems import problem_responses
from service.api.schemas.assessments import assessment_summary
from service.assessments.repository import AssessmentRepository
from service.auth.caller import Caller
from service.errors.not_found import AssessmentNotFound
from service.errors.request import InvalidRequest
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable

RECONNECT_MILLISECONDS = 2_000
MAX_ID_DIGITS = 9
# nginx collects a response before it passes it on, unless the response forbids it.
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENT_EXAMPLE = f"event: end\ndata: {ASSESSMENT_SUMMARY.model_dump_json()}\nid: 5\nretry: {RECONNECT_MILLISECONDS}\n\n"

router = APIRouter(prefix="/assessments", tags=["assessments"])


@router.get(
    "/{assessment_id}/events",
    summary="Follow an assessment",
    response_class=Response,
    responses={
        200: {
            "description": "`progress` for each change and `end` for the last; `data` is the assessment without result",
            "content": {"text/event-stream": {"example": EVENT_EXAMPLE}},
        },
        204: {"description": "The assessment is final, and the client has received its last event"},
        **problem_responses(Unauthenticated, AssessmentNotFound, InvalidRequest, DatabaseUnavailable),
    },
)
async def follow_assessment(
    assessment_id: str,
    caller: CallerDep,
    components: ComponentsDep,
    last_event_id: Annotated[
        str | None, Header(description="id of the last event received; the stream continues after it", examples=["4"])
    ] = None,
) -> Response:
    """The current state at once, every later change, and the final state; then the stream closes."""
    present = await run_in_threadpool(_current_state, components, caller, assessment_id)
    known = _parse_event_id(last_event_id)
    seen = known is not None and known >= present.assessment.version
    if seen and present.assessment.state.final:
        return Response(status_code=204)
    # FastAPI's EventSourceResponse always streams, but this route may also answer 204.
    return StreamingResponse(
        _events(components, present, seen=seen), media_type="text/event-stream", headers=STREAM_HEADERS
    )


async def _events(components: Components, present: AssessmentChange, *, seen: bool) -> AsyncIterator[bytes]:
    assessment = present.assessment
    if not seen:
        yield _event(present)
    if assessment.state.final:
        return
    with components.change_feed.subscribe(assessment.id, assessment.version) as subscription:
        while not subscription.closed:
            change = await subscription.next(components.change_feed.keep_alive)
            if change is not None:
                yield _event(change)
                if change.assessment.state.final:
                    return
            elif not subscription.closed:
                yield KEEPALIVE_COMMENT


def _event(change: AssessmentChange) -> bytes:
    return format_sse_event(
        data_str=assessment_summary(change.assessment, change.queue_position).model_dump_json(),
        event="end" if change.assessment.state.final else "progress",
        id=str(change.assessment.version),
        retry=RECONNECT_MILLISECONDS,
    )


def _current_state(components: Components, caller: Caller, assessment_id: str) -> AssessmentChange:
    with components.database.reading() as session:
        assessment = AssessmentRepository(session, caller).get(assessment_id)
    return AssessmentChange(assessment=assessment, queue_position=components.queue_positions.position_of(assessment))


def _parse_event_id(event_id: str | None) -> int | None:
    """The version in an event id; None for an id that this service did not issue."""
    return parse_digits(event_id, MAX_ID_DIGITS)
