"""Admission of submissions, checked before the body: a refused request is neither read nor stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Header, Query

from service.admission.admission import AdmissionGrant, Requester
from service.api.dependencies import CallerDep, Components, ComponentsDep
from service.api.idempotency import IdempotentRequest, IdempotentRequestDep
from service.api.schemas.assessments import Metadata
from service.assessments.states import Assessment, Priority
from service.auth.caller import Caller
from service.errors.request import InvalidRequest
from service.errors.tree import FieldProblem
from service.errors.unavailable import Overloaded, TooManyAssessments
from service.observability.metrics import SUBMISSIONS


class AdmittedSubmission:
    """A submission that was admitted; `grant` is None when the request replays an earlier one."""

    def __init__(
        self,
        components: Components,
        idempotency: IdempotentRequest,
        requester: Requester,
        grant: AdmissionGrant | None,
        priority: Priority,
    ) -> None:
        self.idempotency = idempotency
        self._admission = components.admission
        self._queue_positions = components.queue_positions
        self._requester = requester
        self._grant = grant
        self._priority = priority

    @property
    def caller(self) -> Caller:
        """The caller that submits."""
        return self._requester.caller

    def priority_of(self, metadata: Metadata) -> Priority:
        """The priority of the assessment, which the query may set to `batch`. Raises InvalidRequest if both differ."""
        if self._priority == Priority.ROUTINE:
            return metadata.priority
        if "priority" in metadata.model_fields_set and metadata.priority != self._priority:
            problem = FieldProblem(location="metadata.priority", reason="differs from the one in the query")
            raise InvalidRequest("The request names two priorities.", fields=(problem,))
        return self._priority

    def mark_accepted(self, assessment: Assessment) -> None:
        """Record that the assessment is committed, and let later submissions see its position in the queue."""
        SUBMISSIONS.labels(priority=assessment.priority, outcome="accepted").inc()
        self._release(accepted=True)
        self._queue_positions.add(assessment, self._requester.caller.tenant)

    def close(self) -> None:
        """Release the admission; a submission that was not marked as accepted counts as refused."""
        self._release(accepted=False)

    def _release(self, *, accepted: bool) -> None:
        if self._grant is not None:
            if not accepted:
                SUBMISSIONS.labels(priority=self._priority, outcome="refused").inc()
            self._admission.release(self._requester, self._grant, accepted=accepted)
            self._grant = None


def admit_submission(
    caller: CallerDep,
    components: ComponentsDep,
    idempotency: IdempotentRequestDep,
    priority: Annotated[
        Priority | None,
        Query(description="`batch` given here, before the body, is admitted while only the routine lane is full"),
    ] = None,
    idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Iterator[AdmittedSubmission]:
    """Admit the submission for the time of the request. Raises Overloaded, TooManyAssessments."""
    priority = priority or Priority.ROUTINE
    requester = Requester(caller=caller, request_key=idempotency_key)
    grant = None if idempotency.is_replay else _admit(components, requester, priority)
    submission = AdmittedSubmission(components, idempotency, requester, grant, priority)
    try:
        yield submission
    finally:
        submission.close()


def require_batch_capacity(components: Components, caller: Caller) -> None:
    """Check that a whole batch may join the batch lane. Raises Overloaded while that lane is full."""
    requester = Requester(caller=caller)
    components.admission.release(requester, _admit(components, requester, Priority.BATCH), accepted=True)


def _admit(components: Components, requester: Requester, priority: Priority) -> AdmissionGrant:
    try:
        return components.admission.admit(requester, priority)
    except (Overloaded, TooManyAssessments):
        SUBMISSIONS.labels(priority=priority, outcome="refused").inc()
        raise


# Released when the route returns: by default a dependency ends after the response, which a client may read slowly.
AdmittedSubmissionDep = Annotated[AdmittedSubmission, Depends(admit_submission, scope="function")]
