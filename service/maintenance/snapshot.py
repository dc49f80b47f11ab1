"""A snapshot of the queue for operators: counts and ages, without ids and tenants.

Each query uses an index on states, so its cost follows the unfinished work and not the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session

from service.assessments.states import FINAL_STATES, Priority, StageKind, StageState, State
from service.storage.database import Database, now
from service.storage.lease import is_due
from service.storage.tables import AssessmentRow, DeliveryRow, StageRow
from service.webhooks.states import DeliveryState
from service.worker_registry import LiveWorker, LoadedModel, live_workers, registered_models

DELAYED = "delayed"
"""State of what is ready and not due: it waits for its next attempt."""
QUERY_TIMEOUT = timedelta(seconds=5)
OPEN = tuple(state for state in State if state not in FINAL_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many rows are in a state, and for how many seconds the oldest has been in it."""

    state: str
    count: int
    oldest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount(StateCount):
    """Stages of one kind and lane in a state."""

    kind: StageKind
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentCount(StateCount):
    """Assessments of one lane in a state."""

    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """The queue, the deliveries and the workers at one moment."""

    stages: tuple[StageCount, ...]
    deliveries: tuple[StateCount, ...]
    unfinished: tuple[AssessmentCount, ...]
    workers: tuple[LiveWorker, ...]
    models: tuple[LoadedModel, ...]


def read_snapshot(
    database: Database, worker_timeout: timedelta, query_timeout: timedelta = QUERY_TIMEOUT
) -> QueueSnapshot:
    """Read the snapshot in one transaction. Raises SQLAlchemyError, on PostgreSQL also for a slow query."""
    with database.reading() as session:
        # A scrape must never pile up queries on a database that is busy already.
        if session.get_bind().dialect.name == "postgresql":
            milliseconds = str(int(query_timeout.total_seconds() * 1000))
            # `true` limits it to this transaction, because the connection returns to the pool.
            session.execute(text("SELECT set_config('statement_timeout', :limit, true)"), {"limit": milliseconds})
        moment = now()
        return QueueSnapshot(
            stages=_stages(session, moment),
            deliveries=_deliveries(session, moment),
            unfinished=_unfinished(session),
            workers=tuple(live_workers(session, worker_timeout)),
            models=tuple(registered.model for registered in registered_models(session)),
        )


def _stages(session: Session, moment: datetime) -> tuple[StageCount, ...]:
    leased = StageRow.state == StageState.LEASED
    due = is_due(StageRow, moment)
    state = case((leased, StageState.LEASED), (due, StageState.READY), else_=DELAYED)
    since = case(
        (StageRow.not_before > StageRow.created_at, StageRow.not_before),
        (StageRow.claimed_at > StageRow.created_at, StageRow.claimed_at),
        else_=StageRow.created_at,
    )
    rows = session.execute(
        select(StageRow.kind, AssessmentRow.priority, state.label("shown"), func.count(), func.min(since))
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(StageRow.state.in_((StageState.READY, StageState.LEASED)))
        .group_by(StageRow.kind, AssessmentRow.priority, "shown")
    )
    return tuple(
        StageCount(kind=StageKind(kind), priority=Priority(lane), state=shown, count=count, oldest=_age(oldest, moment))
        for kind, lane, shown, count, oldest in rows
    )


def _deliveries(session: Session, moment: datetime) -> tuple[StateCount, ...]:
    due = is_due(DeliveryRow, moment)
    leased = DeliveryRow.state == DeliveryState.LEASED
    state = case((leased, StageState.LEASED), (due, StageState.READY), else_=DELAYED)
    since = case(
        (DeliveryRow.not_before > DeliveryRow.created_at, DeliveryRow.not_before), else_=DeliveryRow.created_at
    )
    rows = session.execute(
        select(state.label("shown"), func.count(), func.min(since))
        .where(DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.LEASED)))
        .group_by("shown")
    )
    return tuple(StateCount(state=shown, count=count, oldest=_age(oldest, moment)) for shown, count, oldest in rows)


def _unfinished(session: Session) -> tuple[AssessmentCount, ...]:
    rows = session.execute(
        select(AssessmentRow.state, AssessmentRow.priority, func.count())
        .where(AssessmentRow.state.in_(OPEN))
        .group_by(AssessmentRow.state, AssessmentRow.priority)
    )
    return tuple(AssessmentCount(state=state, priority=Priority(lane), count=count) for state, lane, count in rows)


def _age(since: datetime, moment: datetime) -> float:
    return max(0.0, (moment - since).total_seconds())
