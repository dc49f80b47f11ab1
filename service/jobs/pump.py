"""From ready rows to rung bells, a bounded window at a time.

Without the bound, publishing again what is merely waiting multiplies messages faster than workers drain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from service.jobs.assessment import Priority, StageKind, StageState
from service.jobs.workers import serving
from service.storage.database import Database, now
from service.storage.tables import AssessmentRow, StageRow
from service.task_queue.doorbell import Doorbell, QueueUnreachable

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far ahead of the workers stages are published."""

    stages_per_worker: int
    silence: timedelta


def pump(database: Database, doorbell: Doorbell, window: Window) -> int:
    """Publish what fits into the window of each queue; returns how many stages were published."""
    return sum(_pump_queue(database, doorbell, window, kind) for kind in StageKind)


def _pump_queue(database: Database, doorbell: Doorbell, window: Window, kind: StageKind) -> int:
    with database.reading() as session:  # most calls find nothing to do and need no lock
        if not _room(session, window, kind) or not _waiting(session, kind, now(), limit=1):
            return 0
    with database.writing() as session:
        moment = now()
        ids = _waiting(session, kind, moment, limit=_room(session, window, kind))
        session.execute(update(StageRow).where(StageRow.id.in_(ids)).values(enqueued_at=moment))
    return _ring(database, doorbell, kind, ids)


def _room(session: Session, window: Window, kind: StageKind) -> int:
    slots = max(1, len(serving(session, kind, window.silence)))
    published = session.scalar(
        select(func.count())
        .select_from(StageRow)
        .where(StageRow.kind == kind, StageRow.state == StageState.READY, StageRow.enqueued_at.is_not(None))
    )
    return max(0, slots * window.stages_per_worker - (published or 0))


def _waiting(session: Session, kind: StageKind, moment: datetime, *, limit: int) -> list[str]:
    """Stages to publish next: routine before batch, then the oldest assessment, then its chunks in order."""
    lane = case((AssessmentRow.priority == Priority.ROUTINE, 0), else_=1)
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(
            StageRow.kind == kind,
            StageRow.state == StageState.READY,
            StageRow.enqueued_at.is_(None),
            or_(StageRow.not_before.is_(None), StageRow.not_before <= moment),
        )
        .order_by(lane, AssessmentRow.created_at, AssessmentRow.id, StageRow.index)
        .limit(limit)
        .with_for_update(of=StageRow, skip_locked=True)
    )
    return list(session.scalars(query))


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
