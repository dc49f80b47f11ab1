"""Publishing of ready stages as task messages, within a bounded window of each lane.

Without the bound, messages would be published again for stages that merely wait, faster than workers drain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from service.assessments.states import StageKind, StageState
from service.queue.ordering import StageLane, count_published, fetch_publishable, has_publishable, stage_lanes
from service.storage.database import Database, now
from service.storage.tables import StageRow
from service.task_queue.publisher import BrokerUnreachable, TaskPublisher
from service.worker_registry import live_workers

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishWindow:
    """How many stages are published ahead of the workers; `worker_timeout` decides which workers are live."""

    stages_per_slot: int
    worker_timeout: timedelta


def publish_stages(database: Database, publisher: TaskPublisher, window: PublishWindow) -> int:
    """Fill the window of each lane; returns how many stages were published."""
    with database.reading() as session:
        workers = live_workers(session, window.worker_timeout)
    return sum(_publish_lane(database, publisher, window, lane) for lane in stage_lanes(workers))


def _publish_lane(database: Database, publisher: TaskPublisher, window: PublishWindow, lane: StageLane) -> int:
    # Chosen in a read transaction, because that takes long in a long queue, and on SQLite writers would wait for it.
    with database.reading() as session:
        moment = now()
        room = _room(session, window, lane) if has_publishable(session, lane, moment) else 0
        chosen = fetch_publishable(session, lane, moment, limit=room) if room else []
    if not chosen:
        return 0
    # Marked before the messages are sent, and only by the one process whose UPDATE still finds them unpublished.
    with database.writing() as session:
        free = set(
            session.scalars(
                update(StageRow)
                .where(StageRow.id.in_(chosen), StageRow.state == StageState.READY, StageRow.enqueued_at.is_(None))
                .values(enqueued_at=now())
                .returning(StageRow.id)
                .execution_options(synchronize_session=False)
            )
        )
    # RETURNING has no order, and messages are sent in the order of the lane.
    return _send(database, publisher, lane.kind, [stage_id for stage_id in chosen if stage_id in free])


def _room(session: Session, window: PublishWindow, lane: StageLane) -> int:
    """Room in the window; 0 until half of it is free, so that the queue is not read for every single stage."""
    # At least one slot: claiming offers published stages only, so a worker that starts has to find some.
    ahead = max(1, lane.slots) * window.stages_per_slot
    room = ahead - count_published(session, lane)
    return room if 2 * room >= ahead else 0


def _send(database: Database, publisher: TaskPublisher, kind: StageKind, ids: list[str]) -> int:
    for position, stage_id in enumerate(ids):
        try:
            publisher.publish(kind, stage_id)
        except BrokerUnreachable:
            log.warning("queue unreachable", queue=str(kind), unpublished=len(ids) - position)
            # Unmarked again, so that the next run publishes them once the broker answers.
            with database.writing() as session:
                session.execute(update(StageRow).where(StageRow.id.in_(ids[position:])).values(enqueued_at=None))
            return position
    return len(ids)
