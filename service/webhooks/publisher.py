"""Publish deliveries that are due, within a bounded window that is shared between the webhooks.

A receiver that does not answer occupies a slot of a worker until the timeout. So a webhook has at most two deliveries
in flight, a failing webhook one, and all failing webhooks together at most half of the slots.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from service.storage.database import Database, now
from service.storage.tables import DeliveryRow, WebhookRow
from service.task_queue.publisher import DELIVER, Doorbell, QueueUnreachable
from service.webhooks.states import DeliveryState, WebhookState
from service.worker_registry import slots

log = structlog.stdlib.get_logger(__name__)
MAX_PER_SLOT = 2
MAX_PER_WEBHOOK = 2
MAX_PER_FAILING_WEBHOOK = 1


def publish_deliveries(database: Database, doorbell: Doorbell, silence: timedelta) -> int:
    """Publish the deliveries that fit into the window; returns how many."""
    with database.reading() as session:  # most calls find nothing and so need no write lock
        if not _select_deliveries(session, now(), silence):
            return 0
    with database.writing() as session:
        moment = now()
        chosen = _select_deliveries(session, moment, silence)
        free = select(DeliveryRow.id).where(DeliveryRow.id.in_(chosen), _is_publishable(moment))
        held = set(session.scalars(free.with_for_update(skip_locked=True)))
        ids = [delivery_id for delivery_id in chosen if delivery_id in held]
        session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids)).values(enqueued_at=moment))
    return _publish(database, doorbell, ids)


def has_unclaimed_deliveries(session: Session) -> bool:
    """Whether a published delivery was not claimed yet."""
    return session.scalar(select(DeliveryRow.id).where(_is_published()).limit(1)) is not None


def _select_deliveries(session: Session, moment: datetime, silence: timedelta) -> list[str]:
    """Ids to publish next: round robin over the webhooks, oldest first, failing webhooks last."""
    candidates = _candidates(session, moment)
    if not candidates:
        return []
    slot_count = max(1, slots(session, DELIVER, silence))
    in_flight = _count_in_flight(session)
    free_window = slot_count * MAX_PER_SLOT - sum(in_flight.values())
    failing_window = max(1, slot_count // 2) - in_flight.get(True, 0)
    chosen: list[str] = []
    for candidate in candidates[: max(0, free_window)]:
        if candidate.failing:
            failing_window -= 1
            if failing_window < 0:
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
    """The number of deliveries that are published or claimed, by whether their webhook is failing."""
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
        or_(DeliveryRow.not_before.is_(None), DeliveryRow.not_before <= moment),
    )


def _is_in_flight() -> ColumnElement[bool]:
    return or_(_is_published(), DeliveryRow.state == DeliveryState.LEASED)


def _is_published() -> ColumnElement[bool]:
    return and_(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.enqueued_at.is_not(None))


def _is_failing() -> ColumnElement[bool]:
    return WebhookRow.failing_since.is_not(None)


def _publish(database: Database, doorbell: Doorbell, ids: list[str]) -> int:
    for position, delivery_id in enumerate(ids):
        try:
            doorbell.ring(DELIVER, delivery_id)
        except QueueUnreachable:
            log.warning("queue unreachable", queue=DELIVER, unpublished=len(ids) - position)
            with database.writing() as session:
                session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids[position:])).values(enqueued_at=None))
            return position
    return len(ids)
