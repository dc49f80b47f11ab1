"""The door before a submission's body: who is refused is told when to come back, and nothing is read or stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Header, Query

from service.admission.admission import AdmissionGrant, Requester
from service.api.dependencies import Authenticated, Parts, RunningParts
from service.api.idempotency import Once, OncePerKey
from service.api.schemas.assessments import Metadata
from service.assessments.states import Assessment, Priority
from service.auth.caller import Caller
from service.errors.request import InvalidRequest
from service.errors.tree import FieldProblem
from service.errors.unavailable import Overloaded, TooManyAssessments
from service.observability.metrics import SUBMISSIONS


class Entry:
    """A submission on its way in, or, with `grant` None, the repetition of one that was let in before."""

    def __init__(
        self, parts: Parts, once: Once, requester: Requester, grant: AdmissionGrant | None, lane: Priority
    ) -> None:
        self.once = once
        self._admission = parts.admission
        self._queue_positions = parts.queue_positions
        self._requester = requester
        self._grant = grant
        self._lane = lane

    @property
    def caller(self) -> Caller:
        """Who submits."""
        return self._requester.caller

    def lane_of(self, metadata: Metadata) -> Priority:
        """The lane of the assessment: the address may send it to `batch`. Raises InvalidRequest for a contradiction."""
        if self._lane == Priority.ROUTINE:
            return metadata.priority
        if "priority" in metadata.model_fields_set and metadata.priority != self._lane:
            problem = FieldProblem(location="metadata.priority", reason="differs from the one in the address")
            raise InvalidRequest("The request names two priorities.", fields=(problem,))
        return self._lane

    def accepted(self, assessment: Assessment) -> None:
        """It is in the queue now."""
        SUBMISSIONS.labels(priority=assessment.priority, outcome="accepted").inc()
        self._leave(accepted=True)
        self._queue_positions.add(assessment, self._requester.caller.tenant)

    def close(self) -> None:
        """If it was not accepted, it came to nothing."""
        self._leave(accepted=False)

    def _leave(self, *, accepted: bool) -> None:
        if self._grant is not None:
            if not accepted:
                SUBMISSIONS.labels(priority=self._lane, outcome="refused").inc()
            self._admission.release(self._requester, self._grant, accepted=accepted)
            self._grant = None


def entry(
    caller: Authenticated,
    parts: RunningParts,
    once: OncePerKey,
    priority: Annotated[
        Priority | None,
        Query(description="`batch` is told here, before the body, to be let in while only the routine lane is full"),
    ] = None,
    idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Iterator[Entry]:
    """A submission that is let in. Raises Overloaded, TooManyAssessments."""
    lane = priority or Priority.ROUTINE
    requester = Requester(caller=caller, request_key=idempotency_key)
    grant = None if once.repeats else _let_in(parts, requester, lane)
    submission = Entry(parts, once, requester, grant, lane)
    try:
        yield submission
    finally:
        submission.close()


def refuse_full_lane(parts: Parts, caller: Caller) -> None:
    """For what joins the batch lane as a whole. Raises Overloaded while that lane is full."""
    requester = Requester(caller=caller)
    parts.admission.release(requester, _let_in(parts, requester, Priority.BATCH), accepted=True)


def _let_in(parts: Parts, requester: Requester, lane: Priority) -> AdmissionGrant:
    try:
        return parts.admission.admit(requester, lane)
    except (Overloaded, TooManyAssessments):
        SUBMISSIONS.labels(priority=lane, outcome="refused").inc()
        raise


Entered = Annotated[Entry, Depends(entry, scope="function")]
