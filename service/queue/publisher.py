"""From ready rows to rung bells, a bounded window of each lane at a time.

Without the bound, publishing again what is merely waiting multiplies messages faster than workers drain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from service.assessments.states import StageKind, StageState
from service.queue.ordering import Lane, lanes, next_to_publish, published, waits
from service.storage.database import Database, now
from service.storage.tables import StageRow
from service.task_queue.publisher import Doorbell, QueueUnreachable
from service.worker_registry import living

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far ahead of the workers stages are published."""

    stages_per_slot: int
    silence: timedelta


def pump(database: Database, doorbell: Doorbell, window: Window) -> int:
    """Publish what fits into the window of each lane of each queue; returns how many stages were published."""
    with database.reading() as session:
        workers = living(session, window.silence)
    return sum(_pump_lane(database, doorbell, window, lane) for lane in lanes(workers))


def _pump_lane(database: Database, doorbell: Doorbell, window: Window, lane: Lane) -> int:
    with database.reading() as session:  # choosing takes long in a long queue, and nobody should wait for it
        moment = now()
        room = _room(session, window, lane) if waits(session, lane, moment) else 0
        chosen = next_to_publish(session, lane, moment, limit=room) if room else []
    if not chosen:
        return 0
    with database.writing() as session:
        free = session.scalars(
            update(StageRow)
            .where(StageRow.id.in_(chosen), StageRow.state == StageState.READY, StageRow.enqueued_at.is_(None))
            .values(enqueued_at=now())
            .returning(StageRow.id)
            .execution_options(synchronize_session=False)
        ).all()
    return _ring(database, doorbell, lane.kind, [stage_id for stage_id in chosen if stage_id in set(free)])


def _room(session: Session, window: Window, lane: Lane) -> int:
    """How many more may be published; none before half of the window is free, for each look at the queue costs."""
    ahead = max(1, lane.slots) * window.stages_per_slot
    room = ahead - published(session, lane)
    return room if 2 * room >= ahead else 0


def _ring(database: Database, doorbell: Doorbell, kind: StageKind, ids: list[str]) -> int:
    for position, stage_id in enumerate(ids):
        try:
            doorbell.ring(kind, stage_id)
        except QueueUnreachable:
            log.warning("queue unreachable", queue=str(kind), unpublished=len(ids) - position)
            with database.writing() as session:
                session.execute(update(StageRow).where(StageRow.id.in_(ids[position:])).values(enqueued_at=None))
            return position
    return len(ids)
