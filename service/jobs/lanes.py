"""Who comes next: routine before batch, tenants in turn, and what has begun before what has not.

Two moments decide. Publishing picks what workers are told of, a bounded window for each lane; so a full batch lane
never keeps a routine stage from being told. Claiming picks among what was told: a message wakes a worker, and the
worker takes the best stage of its queues, whichever stage the message named.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from service.jobs.assessment import Priority, StageKind, StageState
from service.storage.tables import AssessmentRow, StageRow

LATEST_FIRST = (StageKind.SCORE, StageKind.ENCODE, StageKind.PREPARE)


def next_to_publish(
    session: Session, kind: StageKind, priority: Priority, moment: datetime, *, limit: int
) -> list[str]:
    """Stages of one lane that workers were not told of: one of each tenant in turn, a tenant's oldest first."""
    age = (AssessmentRow.created_at, AssessmentRow.id, StageRow.index)
    turns = (
        select(StageRow.id, func.row_number().over(partition_by=AssessmentRow.tenant, order_by=age).label("turn"), *age)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_untold(kind, priority, moment))
        .subquery()
    )
    order = (turns.c.turn, turns.c.created_at, turns.c[3], turns.c.index)
    return list(session.scalars(select(turns.c.id).order_by(*order).limit(limit)))


def waits(session: Session, kind: StageKind, priority: Priority, moment: datetime) -> bool:
    """Whether a lane holds a stage that workers could be told of."""
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_untold(kind, priority, moment))
    )
    return session.scalar(query.limit(1)) is not None


def published(session: Session, kind: StageKind, priority: Priority) -> int:
    """How many stages of a lane workers were told of and have not taken."""
    query = (
        select(func.count())
        .select_from(StageRow)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_told(kind), AssessmentRow.priority == priority)
    )
    return session.scalar(query) or 0


def next_to_claim(
    session: Session, kinds: Iterable[StageKind], moment: datetime, *, limit: int, after: str | None = None
) -> list[str]:
    """The best of the stages that workers were told of, for a worker that serves these kinds.

    `after` names an assessment of which the worker has just done a stage: it knows of the next ones by itself.
    """
    served = list(kinds)
    known = or_(*(and_(*_told(kind)) for kind in served))
    if after is not None:
        own = (StageRow.assessment_id == after, StageRow.state == StageState.READY, StageRow.kind.in_(served))
        known = or_(known, and_(*own))
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(known, _due(moment))
        .order_by(
            case((AssessmentRow.priority == Priority.ROUTINE, 0), else_=1),
            case({str(kind): place for place, kind in enumerate(LATEST_FIRST)}, value=StageRow.kind),
            StageRow.enqueued_at,
            AssessmentRow.created_at,
            AssessmentRow.id,
            StageRow.index,
        )
        .limit(limit)
    )
    return list(session.scalars(query))


def _untold(kind: StageKind, priority: Priority, moment: datetime) -> tuple[ColumnElement[bool], ...]:
    ready = (StageRow.kind == kind, StageRow.state == StageState.READY, StageRow.enqueued_at.is_(None))
    return *ready, AssessmentRow.priority == priority, _due(moment)


def _told(kind: StageKind) -> tuple[ColumnElement[bool], ...]:
    return StageRow.kind == kind, StageRow.state == StageState.READY, StageRow.enqueued_at.is_not(None)


def _due(moment: datetime) -> ColumnElement[bool]:
    return or_(StageRow.not_before.is_(None), StageRow.not_before <= moment)
