"""Value objects of webhooks: events, deliveries, attempts, and the retry policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import SystemRandom

from service.settings import Settings

JITTER = 0.2
MAX_RETRY_AFTER = timedelta(days=1)
RANDOM = SystemRandom()
SUCCESS_STATUSES = range(200, 300)
GONE_STATUS = 410
RECORD_TIMEOUT = timedelta(seconds=10)
"""How long a worker tries to record an attempt while the database is unavailable."""


class Event(StrEnum):
    """The events that a webhook can subscribe to."""

    ASSESSMENT_SUCCEEDED = "assessment.succeeded"
    ASSESSMENT_ABSTAINED = "assessment.abstained"
    ASSESSMENT_FAILED = "assessment.failed"
    ASSESSMENT_CANCELLED = "assessment.cancelled"
    BATCH_FINISHED = "batch.finished"
    BATCH_CANCELLED = "batch.cancelled"
    TEST = "webhook.test"


class WebhookState(StrEnum):
    """Whether events are sent to a webhook."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why a webhook is disabled."""

    SWITCHED_OFF = "switched_off"
    GONE = "gone"
    FAILING = "failing"


class DeliveryState(StrEnum):
    """The state of a delivery; the last two are final until it is replayed."""

    PENDING = "pending"
    LEASED = "leased"
    DELIVERED = "delivered"
    FAILED = "failed"


class AttemptError(StrEnum):
    """Why an attempt failed without a valid response. The tenant reads it in the log, so it holds no addresses."""

    URL_REFUSED = "url_refused"
    ADDRESS_REFUSED = "address_refused"
    NAME_NOT_RESOLVED = "name_not_resolved"
    TIMEOUT = "timeout"
    TLS = "tls"
    CONNECTION = "connection"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    WORKER_LOST = "worker_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of a tenant's events; empty `events` means all events."""

    id: str
    url: str
    events: tuple[Event, ...]
    state: WebhookState
    disabled_reason: DisabledReason | None
    failing_since: datetime | None
    previous_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedWebhook:
    """A webhook with its new secret, which is shown only once."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"IssuedWebhook(id={self.webhook.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One attempt at a delivery."""

    number: int
    at: datetime
    seconds: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for one webhook."""

    id: str
    message_id: str
    event: str
    subject: str
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    attempts: tuple[DeliveryAttempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryClaim:
    """The right to make one attempt until the lease expires; it holds secrets, which its repr leaves out."""

    delivery_id: str
    webhook_id: str
    message_id: str
    fence: int
    attempt: int
    url: str
    secrets: tuple[str, ...]
    payload: str
    subject: str
    request_id: str | None
    traceparent: str | None

    def __repr__(self) -> str:
        return f"DeliveryClaim(delivery_id={self.delivery_id!r}, attempt={self.attempt})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """The result of an attempt: a status, or the error that prevented one."""

    at: datetime
    seconds: float
    status: int | None = None
    error: AttemptError | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.status in SUCCESS_STATUSES and self.error is None

    @property
    def gone(self) -> bool:
        """Whether the receiver asked for no more messages."""
        return self.status == GONE_STATUS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRetryPolicy:
    """How often a delivery is attempted, and after how long a failing webhook is disabled."""

    waits: tuple[timedelta, ...]
    disable_after: timedelta

    @property
    def attempts(self) -> int:
        """The number of attempts, including the first."""
        return len(self.waits) + 1

    def wait_after(self, attempt: int, retry_after: timedelta | None) -> timedelta:
        """The wait after a failed attempt, counted from one; honours Retry-After up to MAX_RETRY_AFTER.

        The jitter keeps the deliveries of a receiver that was down from arriving at the same moment.
        """
        planned = self.waits[attempt - 1] * RANDOM.uniform(1 - JITTER, 1 + JITTER)
        # Retry-After can only lengthen a wait, within a bound that a receiver cannot exceed.
        return planned if retry_after is None else max(planned, min(retry_after, MAX_RETRY_AFTER))


def delivery_retry_policy(settings: Settings) -> DeliveryRetryPolicy:
    """The retry policy of the settings."""
    return DeliveryRetryPolicy(waits=settings.webhook_retries, disable_after=settings.webhook_disable_after)


def delivery_lease(settings: Settings) -> timedelta:
    """The lease of an attempt. It is never renewed, so it covers sending and recording with a margin."""
    return settings.webhook_timeout + RECORD_TIMEOUT + timedelta(seconds=5)
