"""The webhook sender: claim a delivery, sign and send it, record the attempt."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from time import monotonic

import structlog
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from sqlalchemy.orm import Session

from service.errors.tree import FenceLost
from service.observability.logs import failure_fields
from service.observability.metrics import WEBHOOK_ATTEMPTS, WEBHOOK_DURATION
from service.observability.traces import Attributes, context_from, links_to, mark_failed, span
from service.storage.database import Database, now
from service.storage.retry import retry_while_unavailable
from service.task_queue.publisher import DELIVER
from service.webhooks.deliveries import DeliveryRepository
from service.webhooks.signing import signed_headers
from service.webhooks.states import (
    RECORD_TIMEOUT,
    AttemptError,
    AttemptResult,
    DeliveryClaim,
    DeliveryRetryPolicy,
    DeliveryState,
)
from service.worker.webhooks.http_client import SendFailed, WebhookClient, WebhookResponse

log = structlog.stdlib.get_logger(__name__)
REDIRECTS = range(300, 400)
RETRY_AFTER_STATUSES = (429, 503)
BLOCKED = (AttemptError.URL_REFUSED, AttemptError.ADDRESS_REFUSED)
"""Reasons of this service for which nothing was sent."""
UNRECORDED = "unrecorded"


class WebhookSender:
    """Makes delivery attempts, one in each calling thread; thread-safe."""

    def __init__(
        self, database: Database, client: WebhookClient, *, worker: str, plan: DeliveryRetryPolicy, lease: timedelta
    ) -> None:
        self._database = database
        self._client = client
        self._worker = worker
        self._plan = plan
        self._lease = lease

    def run(self, delivery_id: str) -> bool:
        """Make an attempt; False when the delivery could not be claimed."""
        claim = self._database.write(partial(self._claim, delivery_id))
        if claim is None:
            return False
        with (
            structlog.contextvars.bound_contextvars(
                delivery=claim.delivery_id,
                webhook=claim.webhook_id,
                message=claim.message_id,
                subject=claim.subject,
                request_id=claim.request_id,
            ),
            _delivery_span(claim),
        ):
            self._attempt(claim)
        return True

    def _claim(self, delivery_id: str, session: Session) -> DeliveryClaim | None:
        return DeliveryRepository(session, self._worker).claim(delivery_id, self._lease, self._plan.attempts)

    def _attempt(self, claim: DeliveryClaim) -> None:
        try:
            with span("POST", kind=SpanKind.CLIENT, attributes={"http.request.method": "POST"}) as present:
                outcome = self._send(claim)
                _record_outcome(present, outcome)
            # An attempt that is not recorded is sent again when its lease ends, though the receiver may have it.
            state = retry_while_unavailable(partial(self._record, claim, outcome), RECORD_TIMEOUT)
            WEBHOOK_ATTEMPTS.labels(outcome=outcome_label(outcome)).inc()
            WEBHOOK_DURATION.observe(outcome.seconds)
            log.info(
                "delivery attempted",
                attempt=claim.attempt,
                state=str(state),
                status=outcome.status,
                error=outcome.error,
                seconds=round(outcome.seconds, 3),
            )
        except FenceLost:
            WEBHOOK_ATTEMPTS.labels(outcome=UNRECORDED).inc()
            log.info("delivery lost", attempt=claim.attempt)
        except Exception as error:  # the lease expires, and the delivery is retried
            WEBHOOK_ATTEMPTS.labels(outcome=UNRECORDED).inc()
            log.error("delivery not recorded", attempt=claim.attempt, **failure_fields(error))

    def _record(self, claim: DeliveryClaim, outcome: AttemptResult) -> DeliveryState:
        return self._database.write(
            lambda session: DeliveryRepository(session, self._worker).record(claim, outcome, self._plan)
        )

    def _send(self, claim: DeliveryClaim) -> AttemptResult:
        moment, started = now(), monotonic()
        body = claim.payload.encode()
        headers = {
            "Content-Type": "application/json",
            **signed_headers(claim.secrets, claim.message_id, moment, body),
        }
        try:
            answer = self._client.post(claim.url, body, headers)
        except SendFailed as failed:
            return AttemptResult(at=moment, seconds=monotonic() - started, error=failed.trouble)
        return AttemptResult(
            at=moment,
            seconds=monotonic() - started,
            status=answer.status,
            # Not followed, because a redirect would bypass the check of the URL (decision 0025).
            error=AttemptError.REDIRECT if answer.status in REDIRECTS else None,
            retry_after=parse_retry_after(answer, moment),
        )


def outcome_label(outcome: AttemptResult) -> str:
    """The metric label of an outcome."""
    if outcome.delivered:
        return "delivered"
    if outcome.status is not None:
        return "refused"
    return "blocked" if outcome.error in BLOCKED else "unreachable"


def _record_outcome(present: Span, outcome: AttemptResult) -> None:
    if outcome.status is not None:
        present.set_attribute("http.response.status_code", outcome.status)
    if not outcome.delivered:
        mark_failed(present, outcome.error or str(outcome.status))


def _delivery_span(claim: DeliveryClaim) -> AbstractContextManager[Span]:
    """The span of an attempt: the first is part of the event's trace; later ones, hours or days after, link to it."""
    first = claim.attempt == 1
    return span(
        "process deliver",
        kind=SpanKind.CONSUMER,
        parent=context_from(claim.traceparent) if first else Context(),
        links=() if first else links_to(claim.traceparent),
        attributes=_attributes(claim),
    )


def _attributes(claim: DeliveryClaim) -> Attributes:
    return {
        "messaging.system": "hilbert",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": DELIVER,
        "messaging.message.id": claim.message_id,
        "hilbert.delivery.id": claim.delivery_id,
        "hilbert.delivery.attempt": claim.attempt,
    }


def parse_retry_after(answer: WebhookResponse, moment: datetime) -> timedelta | None:
    """The wait that Retry-After asks for, in seconds or as a date; None for other statuses and malformed values."""
    if answer.status not in RETRY_AFTER_STATUSES or answer.retry_after is None:
        return None
    try:
        if answer.retry_after.isdecimal():
            return timedelta(seconds=int(answer.retry_after))
        until = parsedate_to_datetime(answer.retry_after)
        return max(timedelta(0), until - moment) if until.tzinfo is not None else None
    # OverflowError for more seconds than a timedelta holds.
    except (ValueError, OverflowError):
        return None
