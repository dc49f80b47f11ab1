"""Requests and responses about webhooks; OpenAPI is generated from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from service.api.schemas.assessments import EXAMPLE_ID, Links, Message
from service.webhooks.states import (
    Delivery,
    DeliveryState,
    DisabledReason,
    Event,
    IssuedWebhook,
    Webhook,
    WebhookState,
)
from service.webhooks.url_policy import MAX_URL_LENGTH

EXAMPLE_WEBHOOK = "5c7f3f0e-6f0b-4a55-8f5b-2b0a4a0f9d11"
EXAMPLE_URL = "https://clinic.example/hooks/hilbert"

Url = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL_LENGTH)]
URL_FIELD = Field(description="https://, on the public internet, up to 2048 characters", examples=[EXAMPLE_URL])
EVENTS_FIELD = Field(
    description="events to send; empty or null: all events", examples=[["assessment.succeeded", "assessment.failed"]]
)


class WebhookOrder(Message):
    """A new webhook."""

    url: Annotated[Url, URL_FIELD]
    events: Annotated[tuple[Event, ...] | None, EVENTS_FIELD] = None


class WebhookChange(Message):
    """Changes to a webhook; fields that are left out stay as they are."""

    url: Annotated[Url | None, URL_FIELD] = None
    events: Annotated[tuple[Event, ...] | None, EVENTS_FIELD] = None
    enabled: bool | None = Field(default=None, description="false: send nothing until it is true again")


class WebhookView(Message):
    """A webhook and its state."""

    id: str = Field(examples=[EXAMPLE_WEBHOOK])
    url: str = Field(examples=[EXAMPLE_URL])
    events: tuple[Event, ...] = Field(description="empty: all events")
    state: WebhookState
    disabled_reason: DisabledReason | None = Field(
        description="`switched_off` by you, `gone` after a 410, `failing` after days without a success"
    )
    failing_since: datetime | None = Field(description="the first failure after the last success")
    previous_secret_until: datetime | None = Field(description="until then the previous secret signs too")
    created_at: datetime
    updated_at: datetime
    links: Links


class WebhookWithSecret(WebhookView):
    """A webhook with its new secret, shown this once."""

    secret: str = Field(examples=["whsec_..."])


class WebhookList(Message):
    """The webhooks, oldest first."""

    items: tuple[WebhookView, ...]


class AttemptView(Message):
    """One attempt at a delivery."""

    attempt: int = Field(description="counted from one, and again from one after a replay", examples=[1])
    at: datetime
    seconds: float
    status: int | None = Field(description="the receiver's status; null without a response", examples=[200])
    error: str | None = Field(description="a word for the failure, without a valid response", examples=["timeout"])


class DeliveryView(Message):
    """One message for one webhook."""

    id: str
    message_id: str = Field(description="the header `webhook-id` of every attempt", examples=["msg_..."])
    event: str = Field(examples=[Event.ASSESSMENT_SUCCEEDED.value])
    subject: str = Field(description="id of the resource that the message is about", examples=[EXAMPLE_ID])
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None = Field(description="set while it is `pending`")
    finished_at: datetime | None
    attempts: tuple[AttemptView, ...]


class DeliveryList(Message):
    """The delivery log, newest first."""

    items: tuple[DeliveryView, ...]


def webhook_path(webhook_id: str) -> str:
    """The path of a webhook."""
    return f"/v1/webhooks/{webhook_id}"


def webhook_view(webhook: Webhook) -> WebhookView:
    """The webhook in the API's representation."""
    return WebhookView.model_validate(_webhook_fields(webhook))


def webhook_with_secret(issued: IssuedWebhook) -> WebhookWithSecret:
    """The webhook with its secret, for the one response that shows it."""
    return WebhookWithSecret.model_validate({**_webhook_fields(issued.webhook), "secret": issued.secret})


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery in the API's representation."""
    return DeliveryView(
        id=delivery.id,
        message_id=delivery.message_id,
        event=delivery.event,
        subject=delivery.subject,
        state=delivery.state,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_attempt_at,
        finished_at=delivery.finished_at,
        attempts=tuple(
            AttemptView(
                attempt=attempt.number,
                at=attempt.at,
                seconds=attempt.seconds,
                status=attempt.status,
                error=attempt.error,
            )
            for attempt in delivery.attempts
        ),
    )


def _webhook_fields(webhook: Webhook) -> dict[str, object]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": webhook.events,
        "state": webhook.state,
        "disabled_reason": webhook.disabled_reason,
        "failing_since": webhook.failing_since,
        "previous_secret_until": webhook.previous_until,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
        "links": Links(self=webhook_path(webhook.id)),
    }
