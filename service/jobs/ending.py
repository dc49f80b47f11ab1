"""How an assessment changes and how it ends: the one place that writes a final state."""

from __future__ import annotations

from functools import partial

from sqlalchemy import update
from sqlalchemy.orm import Session

from service.jobs.announcing import announce
from service.jobs.assessment import Failure, StageState, State
from service.observability.metrics import ASSESSMENT_DURATION, ENDED, REAL_TIME_FACTOR
from service.storage.database import now, once_committed
from service.storage.tables import AssessmentRow, StageRow


def changed(row: AssessmentRow) -> None:
    """Note a change that a client can see; whoever follows the assessment is told of it."""
    row.version += 1
    row.updated_at = now()


def end(session: Session, row: AssessmentRow, state: State, failure: Failure | None = None) -> bool:
    """Give a locked assessment its final state and drop the stages still open; False when it had ended before."""
    if State(row.state).final:
        return False
    row.state = state
    if failure is not None:
        row.failure_code = failure.code
        row.failure_detail = failure.detail
        row.failure_advice = failure.advice
        row.failure_retryable = failure.retryable
    changed(row)
    row.finished_at = row.updated_at
    session.flush()
    session.execute(
        update(StageRow)
        .where(StageRow.assessment_id == row.id, StageRow.state.in_((StageState.READY, StageState.LEASED)))
        .values(state=StageState.CANCELLED, lease_until=None)
        .execution_options(synchronize_session=False)
    )
    announce(session, row)
    seconds = (row.updated_at - row.created_at).total_seconds()
    once_committed(
        session, partial(_count, row.task, state, priority=row.priority, seconds=seconds, audio=row.audio_seconds)
    )
    return True


def _count(task: str, state: State, *, priority: str, seconds: float, audio: float | None) -> None:
    """Count the end; whoever ends the assessment does."""
    ENDED.labels(task=task, state=state).inc()
    ASSESSMENT_DURATION.labels(priority=priority, state=state).observe(seconds)
    if state == State.SUCCEEDED and audio:
        REAL_TIME_FACTOR.labels(priority=priority).observe(seconds / audio)
