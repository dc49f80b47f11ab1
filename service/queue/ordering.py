"""The order of stages: routine before batch, started assessments first, tenants in turn, then by age.

A started assessment is bound to the model that prepared it, and only workers with this model can take its stages.

The order applies at two moments. Publishing chooses the stages that workers get messages for: a bounded window of each
lane, so that a full batch lane never delays a routine stage. Claiming chooses among the published stages: a message
only wakes a worker, which then claims the best stage of its queues, whichever stage the message named.
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
    """Stages that the same workers can take: of one kind, priority and model, or of every model when it is None.

    `slots` is how many of them these workers run at once.
    """

    kind: StageKind
    priority: Priority
    model: str | None = None
    slots: int = 0


def stage_lanes(workers: Sequence[LiveWorker]) -> list[StageLane]:
    """The lanes of these workers: one for each of their models, and one of every model for a queue without workers."""
    lanes: list[StageLane] = []
    for kind in StageKind:
        slots: dict[str | None, int] = {}
        for worker in workers:
            if kind in worker.queues:
                # Any model can prepare: an assessment is bound to one only by its prepare stage.
                model = None if kind == StageKind.PREPARE else worker.model
                slots[model] = slots.get(model, 0) + worker.slots
        lanes += [
            StageLane(kind=kind, priority=priority, model=model, slots=number)
            for priority in Priority
            for model, number in (slots or {None: 0}).items()
        ]
    return lanes


def model_matches(model: str | None) -> ColumnElement[bool]:
    """The assessment is not bound to a model yet, or to this one."""
    return or_(AssessmentRow.model_digest.is_(None), AssessmentRow.model_digest == model)


def fetch_publishable(session: Session, lane: StageLane, moment: datetime, *, limit: int) -> list[str]:
    """Ids of the next stages to publish, round robin over tenants and each tenant's oldest first."""
    age = (AssessmentRow.created_at, AssessmentRow.id, StageRow.index)
    # Tenants in turn: the oldest stages alone would let one tenant's backlog fill the whole window.
    turns = (
        select(StageRow.id, func.row_number().over(partition_by=AssessmentRow.tenant, order_by=age).label("turn"), *age)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_unpublished(lane, moment))
        .subquery()
    )
    # The assessment's id by position, because the subquery has two columns of the name `id`.
    order = (turns.c.turn, turns.c.created_at, turns.c[3], turns.c.index)
    return list(session.scalars(select(turns.c.id).order_by(*order).limit(limit)))


def has_publishable(session: Session, lane: StageLane, moment: datetime) -> bool:
    """Whether the lane has a stage to publish; much cheaper than the ordered query, and the usual answer is no."""
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(*_unpublished(lane, moment))
    )
    return session.scalar(query.limit(1)) is not None


def count_published(session: Session, lane: StageLane) -> int:
    """Stages of the lane that are published and not claimed."""
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
    """Ids of the best stages that a worker of these kinds and this model can claim.

    Only published stages count, so that claiming respects the windows. `after` names an assessment of which the worker
    has just completed a stage: its next stages count as well, without a message.
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
            # The latest kind first: finishing an assessment frees its stored material and answers a client.
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
