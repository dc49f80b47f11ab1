"""From a delivery's id to an attempt in its log: claim, sign, send, record."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from time import monotonic

import structlog

from service.errors import FenceLost
from service.jobs.deliveries import DeliveryRepository
from service.jobs.webhook import RECORDING, DeliveryClaim, DeliveryState, Outcome, RetryPlan, Trouble
from service.observability.logs import failure_fields
from service.storage.database import Database, now
from service.worker.guarded_client import Answer, GuardedClient, SendingFailed
from service.worker.perseverance import persevere
from service.worker.signature import signed_headers

log = structlog.stdlib.get_logger(__name__)
REDIRECTS = range(300, 400)
MAY_ASK_FOR_TIME = (429, 503)


class DeliveryRunner:
    """Makes attempts, one in each thread that asks; holds nothing of any of them."""

    def __init__(
        self, database: Database, client: GuardedClient, *, worker: str, plan: RetryPlan, lease: timedelta
    ) -> None:
        self._database = database
        self._client = client
        self._worker = worker
        self._plan = plan
        self._lease = lease

    def run(self, delivery_id: str) -> bool:
        """Make an attempt if there is one to be made; False when there was nothing to do."""
        with self._database.writing() as session:
            claim = DeliveryRepository(session, self._worker).claim(delivery_id, self._lease, self._plan.attempts)
        if claim is None:
            return False
        with structlog.contextvars.bound_contextvars(
            delivery=claim.delivery_id, webhook=claim.webhook_id, message=claim.message_id
        ):
            self._attempt(claim)
        return True

    def _attempt(self, claim: DeliveryClaim) -> None:
        try:
            outcome = self._send(claim)
            state = persevere(partial(self._record, claim, outcome), RECORDING)
            log.info(
                "delivery attempted",
                attempt=claim.attempt,
                state=str(state),
                status=outcome.status,
                error=outcome.error,
                seconds=round(outcome.seconds, 3),
            )
        except FenceLost:
            log.info("delivery lost", attempt=claim.attempt)
        except Exception as error:  # the lease runs out, and the delivery is tried again
            log.error("delivery not recorded", attempt=claim.attempt, **failure_fields(error))

    def _record(self, claim: DeliveryClaim, outcome: Outcome) -> DeliveryState:
        with self._database.writing() as session:
            return DeliveryRepository(session, self._worker).record(claim, outcome, self._plan)

    def _send(self, claim: DeliveryClaim) -> Outcome:
        moment, started = now(), monotonic()
        body = claim.payload.encode()
        headers = {
            "Content-Type": "application/json",
            **signed_headers(claim.secrets, claim.message_id, moment, body),
        }
        try:
            answer = self._client.post(claim.url, body, headers)
        except SendingFailed as failed:
            return Outcome(at=moment, seconds=monotonic() - started, error=failed.trouble)
        return Outcome(
            at=moment,
            seconds=monotonic() - started,
            status=answer.status,
            error=Trouble.REDIRECT if answer.status in REDIRECTS else None,
            retry_after=wait_asked_for(answer, moment),
        )


def wait_asked_for(answer: Answer, moment: datetime) -> timedelta | None:
    """What Retry-After says, in seconds or as a date, where the status allows it; None for nonsense."""
    if answer.status not in MAY_ASK_FOR_TIME or answer.retry_after is None:
        return None
    try:
        if answer.retry_after.isdecimal():
            return timedelta(seconds=int(answer.retry_after))
        until = parsedate_to_datetime(answer.retry_after)
        return max(timedelta(0), until - moment) if until.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
