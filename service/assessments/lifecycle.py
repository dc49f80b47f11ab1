"""State changes of an assessment: record a change, finish, restart. No other module writes a final state."""

from __future__ import annotations

from functools import partial

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from service.assessments.states import Failure, StageKind, StageState, State
from service.observability.metrics import ASSESSMENT_DURATION, ENDED, REAL_TIME_FACTOR
from service.storage.database import after_commit, now
from service.storage.tables import AssessmentRow, StageRow
from service.webhooks.outbox import enqueue_assessment_event


def record_change(row: AssessmentRow) -> None:
    """Raise the version, by which the change feed notices that clients can see a change."""
    row.version += 1
    row.updated_at = now()


def finish(session: Session, row: AssessmentRow, state: State, failure: Failure | None = None) -> bool:
    """Give an assessment its final state, cancel its open stages and enqueue its webhook event.

    The caller holds the lock of the row. Returns False, without a change, when the state was final already.
    """
    if State(row.state).final:
        return False
    row.state = state
    if failure is not None:
        row.failure_code = failure.code
        row.failure_detail = failure.detail
        row.failure_advice = failure.advice
        row.failure_retryable = failure.retryable
    record_change(row)
    row.finished_at = row.updated_at
    session.flush()
    session.execute(
        update(StageRow)
        .where(StageRow.assessment_id == row.id, StageRow.state.in_((StageState.READY, StageState.LEASED)))
        .values(state=StageState.CANCELLED, lease_until=None)
        .execution_options(synchronize_session=False)
    )
    # In this transaction: there is no end without its message and no message without the end (decision 0024).
    enqueue_assessment_event(session, row)
    seconds = (row.updated_at - row.created_at).total_seconds()
    after_commit(
        session,
        partial(_observe_finish, row.task, state, priority=row.priority, seconds=seconds, audio=row.audio_seconds),
    )
    return True


def _observe_finish(task: str, state: State, *, priority: str, seconds: float, audio: float | None) -> None:
    # Called after the commit: a transaction that is rolled back or repeated must not be counted.
    ENDED.labels(task=task, state=state).inc()
    ASSESSMENT_DURATION.labels(priority=priority, state=state).observe(seconds)
    if state == State.SUCCEEDED and audio:
        REAL_TIME_FACTOR.labels(priority=priority).observe(seconds / audio)


def restart(session: Session, row: AssessmentRow, failure: Failure, *, attempt: int = 0) -> bool:
    """Let the assessment start again from its prepare stage, with any model; `attempt` attempts are already used.

    The caller holds the lock of the row. A worker that still works on it loses its stage: later stages are deleted and
    the fence of the first is raised. Without material in the store the assessment fails with `failure`, and the result
    is False.
    """
    if row.audio_key is None and row.transcript_key is None:
        finish(session, row, State.FAILED, failure)
        return False
    own = StageRow.assessment_id == row.id
    session.execute(delete(StageRow).where(own, StageRow.kind != StageKind.PREPARE))
    session.execute(
        update(StageRow)
        .where(own)
        .values(
            state=StageState.READY,
            fence=StageRow.fence + 1,
            attempt=attempt,
            owner=None,
            lease_until=None,
            enqueued_at=None,
            not_before=None,
            output_key=None,
            claimed_at=None,
            finished_at=None,
        )
    )
    row.state = State.QUEUED
    row.segments_done, row.segments_total = 0, None
    row.model_digest = None
    record_change(row)
    return True
