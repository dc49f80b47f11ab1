"""Admission of submissions, checked before the body: a refused request is neither read nor stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Header, Query

from service.admission.admission import Admitted, Applicant
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
    """A submission that was admitted; `admitted` is None when the request replays an earlier one."""

    def __init__(
        self,
        components: Components,
        idempotency: IdempotentRequest,
        applicant: Applicant,
        admitted: Admitted | None,
        priority: Priority,
    ) -> None:
        self.idempotency = idempotency
        self._admission = components.admission
        self._outlook = components.outlook
        self._applicant = applicant
        self._admitted = admitted
        self._priority = priority

    @property
    def caller(self) -> Caller:
        """The caller that submits."""
        return self._applicant.caller

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
        self._outlook.arrived(assessment, self._applicant.caller.tenant)

    def close(self) -> None:
        """Release the admission; a submission that was not marked as accepted counts as refused."""
        self._release(accepted=False)

    def _release(self, *, accepted: bool) -> None:
        if self._admitted is not None:
            if not accepted:
                SUBMISSIONS.labels(priority=self._priority, outcome="refused").inc()
            self._admission.leave(self._applicant, self._admitted, accepted=accepted)
            self._admitted = None


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
    applicant = Applicant(caller=caller, request_key=idempotency_key)
    # A replay stores nothing, so it needs no capacity: it must be answered even while the queue is full.
    admitted = None if idempotency.is_replay else _admit(components, applicant, priority)
    submission = AdmittedSubmission(components, idempotency, applicant, admitted, priority)
    try:
        yield submission
    finally:
        submission.close()


def require_batch_capacity(components: Components, caller: Caller) -> None:
    """Check that a whole batch may join the batch lane. Raises Overloaded while that lane is full."""
    applicant = Applicant(caller=caller)
    components.admission.leave(applicant, _admit(components, applicant, Priority.BATCH), accepted=True)


def _admit(components: Components, applicant: Applicant, priority: Priority) -> Admitted:
    try:
        return components.admission.enter(applicant, priority)
    except (Overloaded, TooManyAssessments):
        SUBMISSIONS.labels(priority=priority, outcome="refused").inc()
        raise


AdmittedSubmissionDep = Annotated[AdmittedSubmission, Depends(admit_submission, scope="function")]
