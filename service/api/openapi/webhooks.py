"""Example responses about webhooks, built from the schemas, so that they are always valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.api.schemas.assessments import EXAMPLE_ID
from service.api.schemas.webhooks import (
    EXAMPLE_URL,
    EXAMPLE_WEBHOOK,
    DeliveryList,
    DeliveryView,
    WebhookList,
    WebhookView,
    WebhookWithSecret,
    delivery_view,
    webhook_view,
    webhook_with_secret,
)
from service.webhooks.states import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Event,
    IssuedWebhook,
    Webhook,
    WebhookState,
)

CREATED_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FINISHED_AT = datetime(2026, 3, 2, 9, 30, 41, tzinfo=UTC)
_WEBHOOK = Webhook(
    id=EXAMPLE_WEBHOOK,
    url=EXAMPLE_URL,
    events=(),
    state=WebhookState.ENABLED,
    disabled_reason=None,
    failing_since=None,
    previous_until=None,
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
)


def _delivery(state: DeliveryState, *attempts: DeliveryAttempt) -> Delivery:
    return Delivery(
        id="0b9d6d0c-54b4-4d0f-8f3a-6a0f7e0c2f7a",
        message_id="msg_2f0d3c7d0f9b4b0c8a7d5e1f3b6a9c42",
        event=Event.ASSESSMENT_SUCCEEDED,
        subject=EXAMPLE_ID,
        state=state,
        created_at=FINISHED_AT,
        next_attempt_at=None if attempts else FINISHED_AT,
        finished_at=FINISHED_AT + timedelta(seconds=5) if attempts else None,
        attempts=attempts,
    )


WEBHOOK_EXAMPLE: WebhookView = webhook_view(_WEBHOOK)
ISSUED_WEBHOOK: WebhookWithSecret = webhook_with_secret(IssuedWebhook(webhook=_WEBHOOK, secret="whsec_..."))  # noqa: S106
WEBHOOK_LIST = WebhookList(items=(WEBHOOK_EXAMPLE,))
PENDING_DELIVERY: DeliveryView = delivery_view(_delivery(DeliveryState.PENDING))
DELIVERY_LIST = DeliveryList(
    items=(
        delivery_view(
            _delivery(
                DeliveryState.DELIVERED,
                DeliveryAttempt(number=1, at=FINISHED_AT, seconds=0.042, status=503, error=None),
                DeliveryAttempt(number=2, at=FINISHED_AT + timedelta(seconds=5), seconds=0.038, status=204, error=None),
            )
        ),
    )
)
