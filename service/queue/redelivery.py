"""Redelivery of stages that no worker claimed: a broker may lose messages, the database keeps the stages."""

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
    """Mark published stages that no worker claimed as unpublished, so that the publisher sends them again.

    All of them after `republish_after`; and while workers are idle, after `LOST_MESSAGE_AFTER`, but only as many as the
    idle slots can take. So redelivery never publishes faster than work is done.
    """
    requeue = update(StageRow).values(enqueued_at=None).returning(StageRow.id)
    # While all workers are busy a lost message looks like one that waits, so the pause is long (decision 0031).
    requeued = len(session.scalars(requeue.where(*_published_before(republish_after))).all())
    for kind in StageKind:
        for model, idle in idle_slots(session, kind, worker_timeout).items():
            if idle:
                lost = _oldest_published(session, kind, model, idle)
                # The state is asked again, because a worker may have claimed the stage since the query.
                again = session.scalars(requeue.where(StageRow.id.in_(lost), StageRow.state == StageState.READY))
                requeued += len(again.all())
    after_commit(session, partial(REPUBLISHED.inc, requeued))


def _oldest_published(session: Session, kind: StageKind, model: str | None, limit: int) -> list[str]:
    """Unclaimed stages that workers with this model can take, the longest published first."""
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
    """Free slots of the live workers of a queue, by the digest of their model."""
    held = select(StageRow.owner, func.count()).where(StageRow.state == StageState.LEASED).group_by(StageRow.owner)
    busy = {row[0]: row[1] for row in session.execute(held)}
    idle: dict[str | None, int] = {}
    for worker in live_workers(session, worker_timeout, queue):
        idle[worker.model] = idle.get(worker.model, 0) + max(0, worker.slots - busy.get(worker.id, 0))
    return idle
