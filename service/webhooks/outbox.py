"""The transactional outbox: insert an event and its deliveries in the transaction that causes the event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.observability.traces import current_traceparent
from service.storage.database import now
from service.storage.tables import AssessmentRow, BatchRow, DeliveryRow, MessageRow, WebhookRow
from service.webhooks.states import DeliveryState, Event, WebhookState


def enqueue_assessment_event(session: Session, row: AssessmentRow) -> None:
    """Enqueue the final state of an assessment; assessments of a batch have no events of their own."""
    if row.batch_id is None:
        _enqueue(session, row.tenant, Event(f"assessment.{row.state}"), row.id, "assessments", row.state)


def enqueue_batch_event(session: Session, row: BatchRow) -> None:
    """Enqueue the final state of a batch."""
    event = Event.BATCH_CANCELLED if row.state == "cancelled" else Event.BATCH_FINISHED
    _enqueue(session, row.tenant, event, row.id, "batches", row.state)


def enqueue_test_event(session: Session, webhook: WebhookRow) -> DeliveryRow:
    """Enqueue `webhook.test` for one webhook, whatever events it subscribes to."""
    message = _message(webhook.tenant, Event.TEST, webhook.id, "webhooks", webhook.state)
    (delivery,) = _insert_deliveries(session, message, [webhook.id])
    return delivery


def _enqueue(session: Session, tenant: str, event: Event, subject: str, collection: str, state: str) -> None:
    webhook_ids = _subscribed_webhooks(session, tenant, event)
    if webhook_ids:
        _insert_deliveries(session, _message(tenant, event, subject, collection, state), webhook_ids)


def _subscribed_webhooks(session: Session, tenant: str, event: Event) -> list[str]:
    # FOR KEY SHARE keeps the webhook from being deleted before this transaction commits: the foreign key would fail and
    # roll the final state back. It does not conflict with transactions that only change the webhook.
    rows = session.execute(
        select(WebhookRow.id, WebhookRow.events)
        .where(WebhookRow.tenant == tenant, WebhookRow.state == WebhookState.ENABLED)
        # In the order in which `WebhookRepository.add` locks them, so that the two cannot deadlock.
        .order_by(WebhookRow.id)
        .with_for_update(read=True, key_share=True)
    ).all()
    # In Python, because the two databases query JSON differently and a tenant has few webhooks.
    return [row.id for row in rows if not row.events or event in row.events]


def _message(tenant: str, event: Event, subject: str, collection: str, state: str) -> MessageRow:
    moment = now()
    payload = {
        "type": event,
        "timestamp": moment.isoformat().replace("+00:00", "Z"),
        "data": {"id": subject, "state": state, "links": {"self": f"/v1/{collection}/{subject}"}},
    }
    return MessageRow(
        id=f"msg_{uuid.uuid4().hex}",
        tenant=tenant,
        event=event,
        subject=subject,
        # Stored as text, so that every attempt sends and signs the same bytes.
        payload=json.dumps(payload, separators=(",", ":")),
        traceparent=current_traceparent(),
        created_at=moment,
    )


def _insert_deliveries(session: Session, message: MessageRow, webhooks: Sequence[str]) -> list[DeliveryRow]:
    # Flushed first: no relationship is mapped, so SQLAlchemy would not know that the deliveries refer to it.
    session.add(message)
    session.flush()
    deliveries = [
        DeliveryRow(
            id=str(uuid.uuid4()),
            message_id=message.id,
            webhook_id=webhook_id,
            state=DeliveryState.PENDING,
            fence=0,
            attempt=0,
            created_at=message.created_at,
        )
        for webhook_id in webhooks
    ]
    session.add_all(deliveries)
    session.flush()
    return deliveries
