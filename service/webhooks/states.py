"""The words of webhooks: who listens for what, the message that goes out, and how its delivery fares."""

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
"""How long a worker holds on to what came of an attempt while the database is away."""


class Event(StrEnum):
    """What a webhook can tell of."""

    ASSESSMENT_SUCCEEDED = "assessment.succeeded"
    ASSESSMENT_ABSTAINED = "assessment.abstained"
    ASSESSMENT_FAILED = "assessment.failed"
    ASSESSMENT_CANCELLED = "assessment.cancelled"
    BATCH_FINISHED = "batch.finished"
    BATCH_CANCELLED = "batch.cancelled"
    TEST = "webhook.test"


class WebhookState(StrEnum):
    """Whether anything is sent to a webhook."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why nothing is sent to a webhook."""

    SWITCHED_OFF = "switched_off"
    GONE = "gone"
    FAILING = "failing"


class DeliveryState(StrEnum):
    """Where a delivery stands; the last two are its ends, until it is replayed."""

    PENDING = "pending"
    LEASED = "leased"
    DELIVERED = "delivered"
    FAILED = "failed"


class AttemptError(StrEnum):
    """Why an attempt brought no answer that counts; words only, for the log that a tenant reads."""

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
    """A receiver of a tenant's events; no `events` means all of them."""

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
    """A webhook with a new secret, which is not shown again."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"IssuedWebhook(id={self.webhook.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One line of the delivery log."""

    number: int
    at: datetime
    seconds: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message on its way to one webhook, or there."""

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
    """The right to make one attempt, until the lease ends; holds secrets, so it is never shown."""

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
    """What came of an attempt: a status, or the trouble that kept it from one."""

    at: datetime
    seconds: float
    status: int | None = None
    error: AttemptError | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """The receiver has taken the message."""
        return self.status in SUCCESS_STATUSES and self.error is None

    @property
    def gone(self) -> bool:
        """The receiver wants no more messages."""
        return self.status == GONE_STATUS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRetryPolicy:
    """How often a delivery is tried, and how long a failing webhook is borne."""

    waits: tuple[timedelta, ...]
    disable_after: timedelta

    @property
    def attempts(self) -> int:
        """Attempts in all, the first included."""
        return len(self.waits) + 1

    def wait_after(self, attempt: int, retry_after: timedelta | None) -> timedelta:
        """Wait after a failed attempt, counted from one; what the receiver asks for is heeded up to a day."""
        planned = self.waits[attempt - 1] * RANDOM.uniform(1 - JITTER, 1 + JITTER)
        return planned if retry_after is None else max(planned, min(retry_after, MAX_RETRY_AFTER))


def delivery_retry_policy(settings: Settings) -> DeliveryRetryPolicy:
    """The policy that the settings describe."""
    return DeliveryRetryPolicy(waits=settings.webhook_retries, disable_after=settings.webhook_disable_after)


def delivery_lease(settings: Settings) -> timedelta:
    """Lease of an attempt: never renewed, so longer than to send and to record what came of it can take."""
    return settings.webhook_timeout + RECORD_TIMEOUT + timedelta(seconds=5)
