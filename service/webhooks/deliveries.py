"""Deliveries for workers: claim, record the attempt, reclaim. Every write is conditional on the fence.

Order of locks: a transaction that writes a webhook and its deliveries locks the webhook first.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import ColumnElement, and_, delete, func, select, union_all, update
from sqlalchemy.orm import Session

from service.errors.tree import FenceLost
from service.observability.metrics import REPUBLISHED
from service.settings import Settings
from service.storage.database import Database, after_commit, now
from service.storage.lease import is_claimable, is_claimed, is_expired
from service.storage.tables import AssessmentRow, BatchRow, DeliveryAttemptRow, DeliveryRow, MessageRow, WebhookRow
from service.task_queue.publisher import DELIVER, LOST_MESSAGE_AFTER
from service.webhooks.states import (
    AttemptError,
    AttemptResult,
    DeliveryClaim,
    DeliveryRetryPolicy,
    DeliveryState,
    DisabledReason,
    WebhookState,
    delivery_retry_policy,
)
from service.worker_registry import count_slots

log = structlog.stdlib.get_logger(__name__)
ROWS_PER_SWEEP = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySweep:
    """Settings of the delivery sweep: the retry policy, the retention of messages, and when to publish again."""

    policy: DeliveryRetryPolicy
    keep: timedelta
    republish_after: timedelta
    worker_timeout: timedelta


def delivery_sweep(settings: Settings) -> DeliverySweep:
    """The sweep that the settings describe."""
    return DeliverySweep(
        policy=delivery_retry_policy(settings),
        keep=settings.webhook_retention,
        republish_after=settings.republish_after,
        worker_timeout=settings.worker_timeout,
    )


class DeliveryRepository:
    """The deliveries of all tenants, for one worker."""

    def __init__(self, session: Session, worker: str) -> None:
        self._session = session
        self._worker = worker

    def claim(self, delivery_id: str, lease: timedelta, attempts: int) -> DeliveryClaim | None:
        """Claim a delivery that is due or whose lease has expired; None when it cannot be claimed."""
        moment = now()
        claimed = self._session.execute(
            update(DeliveryRow)
            .where(
                DeliveryRow.id == delivery_id,
                DeliveryRow.attempt < attempts,
                is_claimable(DeliveryRow, DeliveryState.PENDING, moment),
                _is_webhook_enabled(),
            )
            .values(
                state=DeliveryState.LEASED,
                fence=DeliveryRow.fence + 1,
                attempt=DeliveryRow.attempt + 1,
                owner=self._worker,
                lease_until=moment + lease,
            )
            .returning(DeliveryRow.webhook_id, DeliveryRow.message_id, DeliveryRow.fence, DeliveryRow.attempt)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if claimed is None:
            return None
        webhook = self._session.get_one(WebhookRow, claimed.webhook_id)
        message = self._session.get_one(MessageRow, claimed.message_id)
        return DeliveryClaim(
            delivery_id=delivery_id,
            webhook_id=webhook.id,
            message_id=message.id,
            fence=claimed.fence,
            attempt=claimed.attempt,
            url=webhook.url,
            secrets=_active_secrets(webhook, moment),
            payload=message.payload,
            subject=message.subject,
            request_id=self._request_of(message.subject),
            traceparent=message.traceparent,
        )

    def _request_of(self, subject: str) -> str | None:
        """Id of the request that submitted the subject; None for a test event or an erased subject."""
        asked = (select(row.request_id).where(row.id == subject) for row in (AssessmentRow, BatchRow))
        return self._session.scalar(union_all(*asked))

    def record(self, claim: DeliveryClaim, result: AttemptResult, policy: DeliveryRetryPolicy) -> DeliveryState:
        """Record an attempt, and set the next state of the delivery and its webhook. Raises FenceLost."""
        webhook = self._lock(claim.webhook_id)
        state, not_before = _next_state(claim.attempt, result, policy)
        self._write_fenced(
            claim,
            state=state,
            owner=None,
            lease_until=None,
            enqueued_at=None,
            not_before=not_before,
            finished_at=None if state == DeliveryState.PENDING else now(),
        )
        self._session.add(_attempt_row(claim.delivery_id, claim.attempt, result))
        _update_webhook_health(webhook, result, policy)
        return state

    def expired(self, limit: int) -> list[str]:
        """Ids of deliveries whose lease has expired."""
        query = (
            select(DeliveryRow.id)
            .where(DeliveryRow.state == DeliveryState.LEASED, is_expired(DeliveryRow, now()))
            .order_by(DeliveryRow.lease_until)
            .limit(limit)
        )
        return list(self._session.scalars(query))

    def reclaim(self, delivery_id: str, policy: DeliveryRetryPolicy) -> None:
        """Make a delivery with an expired lease due again, or fail it when it has used up its attempts."""
        # Checked again under the lock: its worker may have recorded the attempt since the lease expired.
        row = self._session.get(DeliveryRow, delivery_id, with_for_update=True)
        if row is None or row.state != DeliveryState.LEASED or row.lease_until is None or row.lease_until >= now():
            return
        lost = AttemptResult(at=now(), seconds=0.0, error=AttemptError.WORKER_LOST)
        self._session.add(_attempt_row(row.id, row.attempt, lost))
        row.owner = row.lease_until = row.enqueued_at = None
        if row.attempt < policy.attempts:
            row.state = DeliveryState.PENDING
        else:
            row.state = DeliveryState.FAILED
            row.finished_at = now()

    def _lock(self, webhook_id: str) -> WebhookRow:
        webhook = self._session.scalars(
            select(WebhookRow)
            .where(WebhookRow.id == webhook_id)
            # Weaker than FOR UPDATE: the outbox locks FOR KEY SHARE and must not wait for the log of an attempt.
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if webhook is None:
            raise FenceLost("The webhook was deleted.")
        return webhook

    def _write_fenced(self, claim: DeliveryClaim, **values: object) -> None:
        written = self._session.scalars(
            update(DeliveryRow)
            .where(is_claimed(DeliveryRow, claim.delivery_id, claim.fence))
            .values(**values)
            .returning(DeliveryRow.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not written:
            raise FenceLost("Another attempt holds the delivery.")


def sweep_deliveries(database: Database, sweep: DeliverySweep) -> None:
    """Reclaim expired deliveries, publish lost ones again, fail those of disabled webhooks, delete old messages."""
    with database.reading() as session:
        expired = DeliveryRepository(session, "sweeper").expired(ROWS_PER_SWEEP)
    for delivery_id in expired:
        log.warning("lease ran out", delivery=delivery_id)
        with database.writing() as session:
            DeliveryRepository(session, "sweeper").reclaim(delivery_id, sweep.policy)
    moment = now()
    with database.reading() as session:  # most sweeps find nothing and so need no write lock
        unclaimed = _unclaimed_deliveries(session, sweep, moment)
        undeliverable = list(session.scalars(select(DeliveryRow.id).where(_is_undeliverable()).limit(ROWS_PER_SWEEP)))
        old = list(
            session.scalars(
                select(MessageRow.id).where(MessageRow.created_at < moment - sweep.keep).limit(ROWS_PER_SWEEP)
            )
        )
    if not (unclaimed or undeliverable or old):
        return
    with database.writing() as session:
        # A delivery that a worker has claimed since the queries is left alone.
        waiting = update(DeliveryRow).where(DeliveryRow.state == DeliveryState.PENDING)
        waiting = waiting.execution_options(synchronize_session=False)
        session.execute(waiting.where(DeliveryRow.id.in_(unclaimed)).values(enqueued_at=None))
        after_commit(session, partial(REPUBLISHED.inc, len(unclaimed)))
        failed = {"state": DeliveryState.FAILED, "enqueued_at": None, "finished_at": moment}
        # The condition again, because the webhook may have been enabled since.
        session.execute(waiting.where(DeliveryRow.id.in_(undeliverable), _is_undeliverable()).values(**failed))
        # The foreign keys delete its deliveries and their log as well.
        session.execute(delete(MessageRow).where(MessageRow.id.in_(old)))


def _unclaimed_deliveries(session: Session, sweep: DeliverySweep, moment: datetime) -> list[str]:
    """Deliveries that were published and not claimed, whose message may be lost.

    All of them after `republish_after`. Sooner, after LOST_MESSAGE_AFTER, as many as there are idle slots: an idle
    worker would have claimed them if the messages had arrived.
    """
    published = select(DeliveryRow.id).where(DeliveryRow.state == DeliveryState.PENDING)
    published = published.order_by(DeliveryRow.enqueued_at).limit(ROWS_PER_SWEEP)
    long_ago = session.scalars(published.where(DeliveryRow.enqueued_at < moment - sweep.republish_after)).all()
    working = session.scalar(select(func.count()).where(DeliveryRow.state == DeliveryState.LEASED)) or 0
    idle = max(0, count_slots(session, DELIVER, sweep.worker_timeout) - working)
    soon = session.scalars(published.where(DeliveryRow.enqueued_at < moment - LOST_MESSAGE_AFTER).limit(idle)).all()
    return list({*long_ago, *soon})


def _is_undeliverable() -> ColumnElement[bool]:
    return and_(DeliveryRow.state == DeliveryState.PENDING, ~_is_webhook_enabled())


def _is_webhook_enabled() -> ColumnElement[bool]:
    enabled = select(WebhookRow.id).where(WebhookRow.state == WebhookState.ENABLED)
    return DeliveryRow.webhook_id.in_(enabled)


def _active_secrets(webhook: WebhookRow, moment: datetime) -> tuple[str, ...]:
    rotating = webhook.previous_until is not None and webhook.previous_until > moment
    old = webhook.previous_secret if rotating else None
    return (webhook.secret,) if old is None else (webhook.secret, old)


def _next_state(
    attempt: int, result: AttemptResult, policy: DeliveryRetryPolicy
) -> tuple[DeliveryState, datetime | None]:
    if result.delivered:
        return DeliveryState.DELIVERED, None
    if result.gone or attempt >= policy.attempts:
        return DeliveryState.FAILED, None
    return DeliveryState.PENDING, now() + policy.wait_after(attempt, result.retry_after)


def _update_webhook_health(webhook: WebhookRow, result: AttemptResult, policy: DeliveryRetryPolicy) -> None:
    """Update since when the webhook fails, and disable it if it is gone or has failed for too long.

    Assigns only on a change, so that a successful attempt writes no row of the webhook.
    """
    if result.delivered:
        if webhook.failing_since is not None:
            webhook.failing_since = None
        return
    if webhook.failing_since is None:
        webhook.failing_since = result.at
    if webhook.state == WebhookState.DISABLED:
        return
    if result.gone:
        _disable(webhook, DisabledReason.GONE)
    elif now() - webhook.failing_since >= policy.disable_after:
        _disable(webhook, DisabledReason.FAILING)


def _disable(webhook: WebhookRow, reason: DisabledReason) -> None:
    log.warning("webhook disabled", webhook=webhook.id, reason=str(reason))
    webhook.state = WebhookState.DISABLED
    webhook.disabled_reason = reason
    webhook.updated_at = now()


def _attempt_row(delivery_id: str, number: int, result: AttemptResult) -> DeliveryAttemptRow:
    return DeliveryAttemptRow(
        id=str(uuid.uuid4()),
        delivery_id=delivery_id,
        attempt=number,
        at=result.at,
        seconds=result.seconds,
        status=result.status,
        error=result.error,
    )
