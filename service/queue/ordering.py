"""Who comes next: routine before batch, tenants in turn, and what has begun before what has not.

An assessment that has begun belongs to the model it has begun with, and only workers that have loaded it count for it.

Two moments decide. Publishing picks what workers are told of, a bounded window for each lane; so a full batch lane
never keeps a routine stage from being told. Claiming picks among what was told: a message wakes a worker, and the
worker takes the best stage of its queues, whichever stage the message named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from service.assessments.states import Priority, StageKind, StageState
from service.storage.lease import is_due
from service.storage.tables import AssessmentRow, StageRow
from service.worker_registry import LiveWorker

LATEST_FIRST = (StageKind.SCORE, StageKind.ENCODE, StageKind.PREPARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLane:
    """Stages that the same workers can take; `slots` is how many at once, `model` what these have loaded.

    Without a model a lane holds the stages of all models.
    """

    kind: StageKind
    priority: Priority
    model: str | None = None
    slots: int = 0


def stage_lanes(workers: Sequence[LiveWorker]) -> list[StageLane]:
    """The lanes of these workers: one for each model where models matter, and one where nobody lives."""
    found = []
    for kind in StageKind:
        slots: dict[str | None, int] = {}
        for worker in workers:
            if kind in worker.queues:
                model = None if kind == StageKind.PREPARE else worker.model
                slots[model] = slots.get(model, 0) + worker.slots
        found += [
            StageLane(kind=kind, priority=priority, model=model, slots=number)
            for priority in Priority
            for model, number in (slots or {None: 0}).items()
        ]
    return found


def model_matches(model: str | None) -> ColumnElement[bool]:
    """Assessments that have not begun, or have begun with this model."""
    return or_(AssessmentRow.model_digest.is_(None), AssessmentRow.model_digest == model)


def fetch_publishable(session: Session, lane: StageLane, moment: datetime, *, limit: int) -> list[str]:
    """Stages of one lane that workers were not told of: one of each tenant in turn, a tenant's oldest first."""
    age = (AssessmentRow.created_at, AssessmentRow.id, StageRow.index)
    turns = (
        select(StageRow.id, func.row_number().over(partition_by=AssessmentRow.tenant, order_by=age).label("turn"), *age)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_unpublished(lane, moment))
        .subquery()
    )
    order = (turns.c.turn, turns.c.created_at, turns.c[3], turns.c.index)
    return list(session.scalars(select(turns.c.id).order_by(*order).limit(limit)))


def has_publishable(session: Session, lane: StageLane, moment: datetime) -> bool:
    """Whether a lane holds a stage that workers could be told of."""
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_unpublished(lane, moment))
    )
    return session.scalar(query.limit(1)) is not None


def count_published(session: Session, lane: StageLane) -> int:
    """How many stages of a lane workers were told of and have not taken."""
    query = (
        select(func.count())
        .select_from(StageRow)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_published(lane.kind), *_in_lane(lane))
    )
    return session.scalar(query) or 0


def fetch_claimable(
    session: Session,
    kinds: Iterable[StageKind],
    moment: datetime,
    *,
    limit: int,
    model: str | None = None,
    after: str | None = None,
) -> list[str]:
    """The best of the stages that workers were told of, for a worker that serves these kinds with this model.

    `after` names an assessment of which the worker has just done a stage: it knows of the next ones by itself.
    """
    served = list(kinds)
    known = or_(*(and_(*_published(kind)) for kind in served))
    if after is not None:
        own = (StageRow.assessment_id == after, StageRow.state == StageState.READY, StageRow.kind.in_(served))
        known = or_(known, and_(*own))
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(known, is_due(StageRow, moment), model_matches(model))
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


def _unpublished(lane: StageLane, moment: datetime) -> tuple[ColumnElement[bool], ...]:
    ready = (StageRow.kind == lane.kind, StageRow.state == StageState.READY, StageRow.enqueued_at.is_(None))
    return *ready, *_in_lane(lane), is_due(StageRow, moment)


def _in_lane(lane: StageLane) -> tuple[ColumnElement[bool], ...]:
    own = () if lane.model is None else (model_matches(lane.model),)
    return AssessmentRow.priority == lane.priority, *own


def _published(kind: StageKind) -> tuple[ColumnElement[bool], ...]:
    return StageRow.kind == kind, StageRow.state == StageState.READY, StageRow.enqueued_at.is_not(None)
