"""Telling workers again of stages that nobody took up: messages are lost with their broker, stages are not."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from service.assessments.states import StageKind, StageState
from service.observability.metrics import REPUBLISHED
from service.queue.ordering import model_matches
from service.storage.database import after_commit, now
from service.storage.tables import AssessmentRow, StageRow
from service.task_queue.publisher import LOST_MESSAGE_AFTER
from service.worker_registry import live_workers


def requeue_unclaimed(session: Session, republish_after: timedelta, worker_timeout: timedelta) -> None:
    """Let the pump publish again what nobody took up.

    After `republish_after` whatever the workers do; much earlier while workers have nothing to do, and then only as
    many as these could take up, so that publishing again never grows faster than work is done.
    """
    forgotten = update(StageRow).values(enqueued_at=None).returning(StageRow.id)
    unheard = len(session.scalars(forgotten.where(*_published_before(republish_after))).all())
    for kind in StageKind:
        for model, idle in idle_slots(session, kind, worker_timeout).items():
            if idle:
                lost = _oldest_published(session, kind, model, idle)
                told = session.scalars(forgotten.where(StageRow.id.in_(lost), StageRow.state == StageState.READY))
                unheard += len(told.all())
    after_commit(session, partial(REPUBLISHED.inc, unheard))


def _oldest_published(session: Session, kind: StageKind, model: str | None, limit: int) -> list[str]:
    """What was published longest ago of that which workers with this model could take up."""
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(StageRow.kind == kind, *_published_before(LOST_MESSAGE_AFTER), model_matches(model))
        .order_by(StageRow.enqueued_at)
        .limit(limit)
    )
    return list(session.scalars(query))


def _published_before(age: timedelta) -> tuple[ColumnElement[bool], ...]:
    return StageRow.state == StageState.READY, StageRow.enqueued_at < now() - age


def idle_slots(session: Session, queue: str, worker_timeout: timedelta) -> dict[str | None, int]:
    """How many stages more the living workers of a queue could work on at this moment, by their model's digest."""
    held = select(StageRow.owner, func.count()).where(StageRow.state == StageState.LEASED).group_by(StageRow.owner)
    busy = {row[0]: row[1] for row in session.execute(held)}
    idle: dict[str | None, int] = {}
    for worker in live_workers(session, worker_timeout, queue):
        idle[worker.model] = idle.get(worker.model, 0) + max(0, worker.slots - busy.get(worker.id, 0))
    return idle
