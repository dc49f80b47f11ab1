"""The webhooks of a caller and their delivery logs. Every query is bound to the tenant of the caller."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.auth.caller import Caller
from service.errors.not_found import DeliveryNotFound, WebhookNotFound
from service.errors.request import WebhookDisabled, WebhookLimit
from service.storage.database import now
from service.storage.tables import DeliveryAttemptRow, DeliveryRow, MessageRow, WebhookRow
from service.webhooks.outbox import enqueue_test_event
from service.webhooks.signing import new_secret
from service.webhooks.states import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    DisabledReason,
    Event,
    IssuedWebhook,
    Webhook,
    WebhookState,
)

MAX_WEBHOOKS = 10


class WebhookRepository:
    """The webhooks of one caller's tenant; those of other tenants raise WebhookNotFound. URLs are already checked."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def add(self, url: str, events: Iterable[Event]) -> IssuedWebhook:
        """Insert a webhook with a new secret. Raises WebhookLimit."""
        own = WebhookRow.tenant == self._caller.tenant
        # The lock serialises concurrent requests, so that two of them cannot both take the last place.
        self._session.scalars(select(WebhookRow.id).where(own).order_by(WebhookRow.id).with_for_update()).all()
        if (self._session.scalar(select(func.count()).where(own)) or 0) >= MAX_WEBHOOKS:
            raise WebhookLimit(f"A tenant may have {MAX_WEBHOOKS} webhooks.")
        moment = now()
        row = WebhookRow(
            id=str(uuid.uuid4()),
            tenant=self._caller.tenant,
            url=url,
            events=_sorted_events(events),
            state=WebhookState.ENABLED,
            secret=new_secret(),
            created_at=moment,
            updated_at=moment,
        )
        self._session.add(row)
        return IssuedWebhook(webhook=_webhook(row), secret=row.secret)

    def get(self, webhook_id: str) -> Webhook:
        """Raises WebhookNotFound, also for another tenant's."""
        return _webhook(self._row(webhook_id))

    def all(self) -> tuple[Webhook, ...]:
        """Oldest first."""
        query = select(WebhookRow).where(WebhookRow.tenant == self._caller.tenant)
        return tuple(map(_webhook, self._session.scalars(query.order_by(WebhookRow.created_at, WebhookRow.id))))

    def update(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Iterable[Event] | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change the given fields; a new URL and enabling reset the failures. Raises WebhookNotFound."""
        row = self._row(webhook_id, lock=True)
        if url is not None:
            # A new receiver must not be disabled for the failures of the old one.
            row.url = url
            row.failing_since = None
        if events is not None:
            row.events = _sorted_events(events)
        if enabled:
            row.state = WebhookState.ENABLED
            row.disabled_reason = row.failing_since = None
        # A webhook that the service disabled keeps that reason.
        elif enabled is not None and row.state == WebhookState.ENABLED:
            row.state = WebhookState.DISABLED
            row.disabled_reason = DisabledReason.SWITCHED_OFF
        row.updated_at = now()
        return _webhook(row)

    def rotate(self, webhook_id: str, overlap: timedelta) -> IssuedWebhook:
        """Issue a new secret; the previous one signs too during the overlap. Raises WebhookNotFound."""
        row = self._row(webhook_id, lock=True)
        moment = now()
        row.previous_secret, row.secret = row.secret, new_secret()
        row.previous_until = moment + overlap
        row.updated_at = moment
        return IssuedWebhook(webhook=_webhook(row), secret=row.secret)

    def delete(self, webhook_id: str) -> None:
        """Delete the webhook with its deliveries and their log. Raises WebhookNotFound."""
        self._session.delete(self._row(webhook_id, for_delete=True))

    def test(self, webhook_id: str) -> Delivery:
        """Enqueue a test event. Raises WebhookNotFound, WebhookDisabled."""
        row = self._enabled(webhook_id)
        delivery = enqueue_test_event(self._session, row)
        return self._deliveries([delivery])[0]

    def deliveries(self, webhook_id: str, *, limit: int, state: DeliveryState | None) -> tuple[Delivery, ...]:
        """Newest first, with their attempts. Raises WebhookNotFound."""
        row = self._row(webhook_id)
        query = select(DeliveryRow).where(DeliveryRow.webhook_id == row.id)
        if state is not None:
            query = query.where(DeliveryRow.state == state)
        query = query.order_by(DeliveryRow.created_at.desc(), DeliveryRow.id.desc()).limit(limit)
        return self._deliveries(self._session.scalars(query).all())

    def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Make a delivery due at once, with the same message id and all its retries.

        A delivery that is being sent is left as it is. Raises WebhookNotFound, DeliveryNotFound, WebhookDisabled.
        """
        webhook = self._enabled(webhook_id)
        row = self._session.get(DeliveryRow, delivery_id, with_for_update=True)
        if row is None or row.webhook_id != webhook.id:
            raise DeliveryNotFound("There is no delivery with this id.")
        if row.state != DeliveryState.LEASED:
            row.state = DeliveryState.PENDING
            row.attempt = 0
            row.enqueued_at = row.not_before = row.finished_at = None
        return self._deliveries([row])[0]

    def _enabled(self, webhook_id: str) -> WebhookRow:
        row = self._row(webhook_id, lock=True)
        if row.state != WebhookState.ENABLED:
            raise WebhookDisabled("Nothing is sent to a disabled webhook.")
        return row

    def _row(self, webhook_id: str, *, lock: bool = False, for_delete: bool = False) -> WebhookRow:
        query = select(WebhookRow).where(WebhookRow.tenant == self._caller.tenant, WebhookRow.id == webhook_id)
        if lock or for_delete:
            # Only deletion takes the stronger lock: the outbox, which locks FOR KEY SHARE, does not wait for changes.
            query = query.with_for_update(key_share=not for_delete)
        row = self._session.scalars(query).one_or_none()
        if row is None:
            raise WebhookNotFound("There is no webhook with this id.")
        return row

    def _deliveries(self, rows: Sequence[DeliveryRow]) -> tuple[Delivery, ...]:
        self._session.flush()
        messages = select(MessageRow).where(MessageRow.id.in_(row.message_id for row in rows))
        by_id = {message.id: message for message in self._session.scalars(messages)}
        attempts = defaultdict(list)
        log = select(DeliveryAttemptRow).where(DeliveryAttemptRow.delivery_id.in_(row.id for row in rows))
        for attempt in self._session.scalars(log.order_by(DeliveryAttemptRow.at)):
            attempts[attempt.delivery_id].append(attempt)
        return tuple(_delivery(row, by_id[row.message_id], attempts[row.id]) for row in rows)


def _sorted_events(events: Iterable[Event]) -> list[str]:
    return sorted({str(event) for event in events})


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(
        id=row.id,
        url=row.url,
        events=tuple(map(Event, row.events)),
        state=WebhookState(row.state),
        disabled_reason=None if row.disabled_reason is None else DisabledReason(row.disabled_reason),
        failing_since=row.failing_since,
        previous_until=row.previous_until,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _delivery(row: DeliveryRow, message: MessageRow, attempts: Sequence[DeliveryAttemptRow]) -> Delivery:
    waiting = row.state == DeliveryState.PENDING
    return Delivery(
        id=row.id,
        message_id=message.id,
        event=message.event,
        subject=message.subject,
        state=DeliveryState(row.state),
        created_at=row.created_at,
        next_attempt_at=(row.not_before or row.created_at) if waiting else None,
        finished_at=row.finished_at,
        attempts=tuple(
            DeliveryAttempt(number=row.attempt, at=row.at, seconds=row.seconds, status=row.status, error=row.error)
            for row in attempts
        ),
    )
