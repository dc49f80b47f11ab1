"""What waits, what is worked on and by whom: numbers for operators, without ids and without tenants.

Each query goes through an index of states, so its cost follows what is unfinished and not what was ever sent.
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
"""Ready, but to be tried again only later."""
QUERY_TIMEOUT = timedelta(seconds=5)
OPEN = tuple(state for state in State if state not in FINAL_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """Things in one state, and for how many seconds the oldest of them has been in it."""

    state: str
    count: int
    oldest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount(StateCount):
    """Stages of one kind and lane in one state."""

    kind: StageKind
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentCount(StateCount):
    """Assessments of one lane in one state."""

    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """The whole of it at one moment."""

    stages: tuple[StageCount, ...]
    deliveries: tuple[StateCount, ...]
    unfinished: tuple[AssessmentCount, ...]
    workers: tuple[LiveWorker, ...]
    models: tuple[LoadedModel, ...]


def read_snapshot(database: Database, worker_timeout: timedelta, at_most: timedelta = QUERY_TIMEOUT) -> QueueSnapshot:
    """Read it in one transaction. Raises SQLAlchemyError, on PostgreSQL also when a query takes longer than allowed."""
    with database.reading() as session:
        if session.get_bind().dialect.name == "postgresql":
            milliseconds = str(int(at_most.total_seconds() * 1000))
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
        select(StageRow.kind, AssessmentRow.priority, state.label("stands"), func.count(), func.min(since))
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(StageRow.state.in_((StageState.READY, StageState.LEASED)))
        .group_by(StageRow.kind, AssessmentRow.priority, "stands")
    )
    return tuple(
        StageCount(
            kind=StageKind(kind), priority=Priority(lane), state=stands, count=count, oldest=_age(oldest, moment)
        )
        for kind, lane, stands, count, oldest in rows
    )


def _deliveries(session: Session, moment: datetime) -> tuple[StateCount, ...]:
    due = is_due(DeliveryRow, moment)
    leased = DeliveryRow.state == DeliveryState.LEASED
    state = case((leased, StageState.LEASED), (due, StageState.READY), else_=DELAYED)
    since = case(
        (DeliveryRow.not_before > DeliveryRow.created_at, DeliveryRow.not_before), else_=DeliveryRow.created_at
    )
    rows = session.execute(
        select(state.label("stands"), func.count(), func.min(since))
        .where(DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.LEASED)))
        .group_by("stands")
    )
    return tuple(StateCount(state=stands, count=count, oldest=_age(oldest, moment)) for stands, count, oldest in rows)


def _unfinished(session: Session) -> tuple[AssessmentCount, ...]:
    rows = session.execute(
        select(AssessmentRow.state, AssessmentRow.priority, func.count())
        .where(AssessmentRow.state.in_(OPEN))
        .group_by(AssessmentRow.state, AssessmentRow.priority)
    )
    return tuple(AssessmentCount(state=state, priority=Priority(lane), count=count) for state, lane, count in rows)


def _age(since: datetime, moment: datetime) -> float:
    return max(0.0, (moment - since).total_seconds())
