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
    """Publish the deliveries that fit into the window; returns how many."""
    with database.reading() as session:  # most calls find nothing and so need no write lock
        if not _select_deliveries(session, now(), worker_timeout):
            return 0
    with database.writing() as session:
        moment = now()
        chosen = _select_deliveries(session, moment, worker_timeout)
        free = select(DeliveryRow.id).where(DeliveryRow.id.in_(chosen), _is_publishable(moment))
        # What another process is publishing at this moment is skipped, not waited for and published twice.
        held = set(session.scalars(free.with_for_update(skip_locked=True)))
        ids = [delivery_id for delivery_id in chosen if delivery_id in held]
        session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids)).values(enqueued_at=moment))
    # After the commit, since a message may wake a worker at once.
    return _publish(database, publisher, ids)


def has_unclaimed_deliveries(session: Session) -> bool:
    """Whether a published delivery was not claimed yet."""
    return session.scalar(select(DeliveryRow.id).where(_is_published()).limit(1)) is not None


def _select_deliveries(session: Session, moment: datetime, worker_timeout: timedelta) -> list[str]:
    """Ids to publish next: round robin over the webhooks, oldest first, failing webhooks last."""
    candidates = _candidates(session, moment)
    if not candidates:
        return []
    # At least one, so that a worker that starts finds a message.
    slot_count = max(1, count_slots(session, DELIVER, worker_timeout))
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
    in_flight = (
        select(DeliveryRow.webhook_id, func.count().label("count"))
        .where(_is_in_flight())
        .group_by(DeliveryRow.webhook_id)
        .subquery()
    )
    rank = (
        func.row_number()
        .over(partition_by=DeliveryRow.webhook_id, order_by=(DeliveryRow.created_at, DeliveryRow.id))
        .label("rank")
    )
    waiting = select(DeliveryRow.id, DeliveryRow.webhook_id, DeliveryRow.created_at, rank).where(
        _is_publishable(moment)
    )
    ranked = waiting.subquery()
    failing = _is_failing().label("failing")
    limit = case((_is_failing(), MAX_PER_FAILING_WEBHOOK), else_=MAX_PER_WEBHOOK)
    query = (
        select(ranked.c.id, failing)
        .join(WebhookRow, WebhookRow.id == ranked.c.webhook_id)
        .outerjoin(in_flight, in_flight.c.webhook_id == ranked.c.webhook_id)
        .where(
            WebhookRow.state == WebhookState.ENABLED,
            ranked.c.rank + func.coalesce(in_flight.c.count, 0) <= limit,
        )
        .order_by(failing, ranked.c.rank, ranked.c.created_at, ranked.c.id)
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
            # Unmarked again, so that the next run publishes them once the broker answers.
            with database.writing() as session:
                session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids[position:])).values(enqueued_at=None))
            return position
    return len(ids)
