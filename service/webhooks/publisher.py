"""From deliveries that are due to rung bells: a bounded window, shared out so that no receiver delays another.

A receiver that does not answer holds a slot of a worker until its time is up. So one webhook has two deliveries
in flight at most, one that fails at present a single one, and all those that fail together at most half of the
slots that there are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from service.storage.database import Database, now
from service.storage.lease import is_due
from service.storage.tables import DeliveryRow, WebhookRow
from service.task_queue.publisher import DELIVER, BrokerUnreachable, TaskPublisher
from service.webhooks.states import DeliveryState, WebhookState
from service.worker_registry import count_slots

log = structlog.stdlib.get_logger(__name__)
MAX_PER_SLOT = 2
MAX_PER_WEBHOOK = 2
MAX_PER_FAILING_WEBHOOK = 1


def publish_deliveries(database: Database, publisher: TaskPublisher, worker_timeout: timedelta) -> int:
    """Publish what fits into the windows; returns how many deliveries were published."""
    with database.reading() as session:  # most calls find nothing to do and need no lock
        if not _select_deliveries(session, now(), worker_timeout):
            return 0
    with database.writing() as session:
        moment = now()
        chosen = _select_deliveries(session, moment, worker_timeout)
        free = select(DeliveryRow.id).where(DeliveryRow.id.in_(chosen), _is_publishable(moment))
        held = set(session.scalars(free.with_for_update(skip_locked=True)))
        ids = [one for one in chosen if one in held]
        session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids)).values(enqueued_at=moment))
    return _publish(database, publisher, ids)


def has_unclaimed_deliveries(session: Session) -> bool:
    """Whether a delivery was published that no worker has taken yet."""
    return session.scalar(select(DeliveryRow.id).where(_is_published()).limit(1)) is not None


def _select_deliveries(session: Session, moment: datetime, worker_timeout: timedelta) -> list[str]:
    """What to publish next: each webhook's oldest before any webhook's second, those that fail last."""
    candidates = _candidates(session, moment)
    if not candidates:
        return []
    there = max(1, count_slots(session, DELIVER, worker_timeout))
    flying = _count_in_flight(session)
    room = there * MAX_PER_SLOT - sum(flying.values())
    room_for_failing = max(1, there // 2) - flying.get(True, 0)
    chosen: list[str] = []
    for candidate in candidates[: max(0, room)]:
        if candidate.failing:
            room_for_failing -= 1
            if room_for_failing < 0:
                break
        chosen.append(candidate.id)
    return chosen


def _candidates(session: Session, moment: datetime) -> list[Row[Any]]:
    flying = (
        select(DeliveryRow.webhook_id, func.count().label("count"))
        .where(_is_in_flight())
        .group_by(DeliveryRow.webhook_id)
        .subquery()
    )
    place = (
        func.row_number()
        .over(partition_by=DeliveryRow.webhook_id, order_by=(DeliveryRow.created_at, DeliveryRow.id))
        .label("place")
    )
    waiting = select(DeliveryRow.id, DeliveryRow.webhook_id, DeliveryRow.created_at, place).where(
        _is_publishable(moment)
    )
    line = waiting.subquery()
    failing = _is_failing().label("failing")
    most = case((_is_failing(), MAX_PER_FAILING_WEBHOOK), else_=MAX_PER_WEBHOOK)
    query = (
        select(line.c.id, failing)
        .join(WebhookRow, WebhookRow.id == line.c.webhook_id)
        .outerjoin(flying, flying.c.webhook_id == line.c.webhook_id)
        .where(
            WebhookRow.state == WebhookState.ENABLED,
            line.c.place + func.coalesce(flying.c.count, 0) <= most,
        )
        .order_by(failing, line.c.place, line.c.created_at, line.c.id)
        .limit(1000)
    )
    return list(session.execute(query))


def _count_in_flight(session: Session) -> dict[bool, int]:
    """Deliveries published or being worked on, by whether their webhook fails."""
    failing = _is_failing().label("failing")
    rows = session.execute(
        select(failing, func.count())
        .select_from(DeliveryRow)
        .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
        .where(_is_in_flight())
        .group_by(failing)
    )
    return {bool(fails): count for fails, count in rows.all()}


def _is_publishable(moment: datetime) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.state == DeliveryState.PENDING,
        DeliveryRow.enqueued_at.is_(None),
        is_due(DeliveryRow, moment),
    )


def _is_in_flight() -> ColumnElement[bool]:
    return or_(_is_published(), DeliveryRow.state == DeliveryState.LEASED)


def _is_published() -> ColumnElement[bool]:
    return and_(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.enqueued_at.is_not(None))


def _is_failing() -> ColumnElement[bool]:
    return WebhookRow.failing_since.is_not(None)


def _publish(database: Database, publisher: TaskPublisher, ids: list[str]) -> int:
    for position, delivery_id in enumerate(ids):
        try:
            publisher.publish(DELIVER, delivery_id)
        except BrokerUnreachable:
            log.warning("queue unreachable", queue=DELIVER, unpublished=len(ids) - position)
            with database.writing() as session:
                session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids[position:])).values(enqueued_at=None))
            return position
    return len(ids)
