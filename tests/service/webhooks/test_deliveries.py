from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.errors.tree import FenceLost
from service.settings import Settings
from service.storage.database import now
from service.storage.tables import DeliveryAttemptRow, DeliveryRow, MessageRow, WebhookRow
from service.webhooks.deliveries import DeliveryRepository, DeliverySweep, delivery_sweep, sweep_deliveries
from service.webhooks.repository import WebhookRepository
from service.webhooks.states import (
    AttemptError,
    AttemptResult,
    DeliveryRetryPolicy,
    delivery_lease,
    delivery_retry_policy,
)
from service.worker_registry import WorkerIdentity, register

SECOND = timedelta(seconds=1)
PLAN = DeliveryRetryPolicy(waits=(5 * SECOND, 300 * SECOND), disable_after=timedelta(days=5))
SWEEP = DeliverySweep(policy=PLAN, keep=timedelta(days=30), republish_after=60 * SECOND, worker_timeout=30 * SECOND)


def outcome(status=None, **fields):
    return AttemptResult(at=now(), seconds=0.1, status=status, **fields)


@pytest.fixture
def hook(database, add_webhook, caller):
    """A webhook with one delivery."""
    issued = add_webhook(database)
    with database.writing() as session:
        WebhookRepository(session, caller).test(issued.webhook.id)
    return issued


def only(database, table):
    with database.reading() as session:
        return session.scalars(select(table)).one()


def claim(database, *, lease=9 * SECOND, worker="w1"):
    with database.writing() as session:
        return DeliveryRepository(session, worker).claim(only(database, DeliveryRow).id, lease, PLAN.attempts)


def record(database, held, what, plan=PLAN):
    with database.writing() as session:
        return DeliveryRepository(session, "w1").record(held, what, plan)


def due_now(database):
    with database.writing() as session:
        session.execute(update(DeliveryRow).values(not_before=None))


def test_a_claim_brings_all_that_is_needed_to_send(database, hook):
    held = claim(database)
    message = only(database, MessageRow)
    assert (held.url, held.secrets, held.attempt) == ("https://clinic.example/", (hook.secret,), 1)
    assert (held.message_id, held.payload) == (message.id, message.payload)
    assert hook.secret not in repr(held) + repr(hook)


def test_a_delivery_is_claimed_by_one_worker(database, hook):
    assert claim(database) is not None
    assert claim(database, worker="w2") is None


def test_a_lease_that_ran_out_may_be_claimed_and_the_late_worker_cannot_write(database, hook):
    late = claim(database, lease=-SECOND)
    newer = claim(database, worker="w2")
    assert newer.fence > late.fence
    assert newer.message_id == late.message_id
    with pytest.raises(FenceLost):
        record(database, late, outcome(500))
    assert record(database, newer, outcome(200)) == "delivered"


@pytest.mark.parametrize("status", [200, 299])
def test_a_status_of_the_200s_ends_a_delivery(database, hook, status):
    assert record(database, claim(database), outcome(status)) == "delivered"
    row = only(database, DeliveryRow)
    assert row.finished_at is not None
    assert claim(database) is None


@pytest.mark.parametrize(
    "what", [{"status": 301, "error": AttemptError.REDIRECT}, {"status": 500}, {"error": AttemptError.TIMEOUT}]
)
def test_anything_else_is_tried_again_after_a_while(database, hook, what):
    before = now()
    assert record(database, claim(database), outcome(**what)) == "pending"
    wait = (only(database, DeliveryRow).not_before - before).total_seconds()
    assert 4.0 <= wait <= 6.5
    assert claim(database) is None
    due_now(database)
    assert claim(database).attempt == 2


def test_after_the_last_attempt_a_delivery_has_failed(database, hook):
    for attempt in range(1, PLAN.attempts + 1):
        due_now(database)
        state = record(database, claim(database), outcome(500))
        assert state == ("pending" if attempt < PLAN.attempts else "failed")
    with database.reading() as session:
        log = session.scalars(select(DeliveryAttemptRow).order_by(DeliveryAttemptRow.attempt)).all()
    assert [(line.attempt, line.status, line.error) for line in log] == [(1, 500, None), (2, 500, None), (3, 500, None)]
    assert only(database, WebhookRow).state == "enabled"


def test_a_receiver_that_is_gone_disables_its_webhook_at_once(database, hook):
    assert record(database, claim(database), outcome(410)) == "failed"
    webhook = only(database, WebhookRow)
    assert (webhook.state, webhook.disabled_reason) == ("disabled", "gone")


def test_days_of_failures_without_a_success_disable_a_webhook(database, hook):
    record(database, claim(database), outcome(500))
    assert only(database, WebhookRow).failing_since is not None
    with database.writing() as session:
        session.execute(update(WebhookRow).values(failing_since=now() - timedelta(days=5)))
    due_now(database)
    record(database, claim(database), outcome(500))
    webhook = only(database, WebhookRow)
    assert (webhook.state, webhook.disabled_reason) == ("disabled", "failing")


def test_one_success_makes_earlier_failures_forgotten(database, hook):
    record(database, claim(database), outcome(500))
    due_now(database)
    record(database, claim(database), outcome(200))
    assert only(database, WebhookRow).failing_since is None


def test_a_webhook_that_was_deleted_takes_its_delivery_along(database, hook, caller):
    held = claim(database)
    with database.writing() as session:
        WebhookRepository(session, caller).delete(hook.webhook.id)
    with pytest.raises(FenceLost):
        record(database, held, outcome(200))
    with database.reading() as session:
        assert session.scalars(select(DeliveryRow)).all() == []


def test_during_a_rotation_both_secrets_sign_and_afterwards_the_new_one_alone(database, hook, caller):
    with database.writing() as session:
        new = WebhookRepository(session, caller).rotate(hook.webhook.id, timedelta(hours=24)).secret
    assert claim(database, lease=-SECOND).secrets == (new, hook.secret)
    with database.writing() as session:
        session.execute(update(WebhookRow).values(previous_until=now() - SECOND))
    assert claim(database).secrets == (new,)


def test_the_delivery_of_a_lost_worker_is_due_again_and_the_log_says_so(database, hook):
    for attempt in range(1, PLAN.attempts + 1):
        assert claim(database, lease=-SECOND).attempt == attempt
        sweep_deliveries(database, SWEEP)
        assert only(database, DeliveryRow).state == ("pending" if attempt < PLAN.attempts else "failed")
    with database.reading() as session:
        assert {line.error for line in session.scalars(select(DeliveryAttemptRow))} == {"worker_lost"}


def test_a_living_workers_delivery_is_left_alone(database, hook):
    held = claim(database)
    sweep_deliveries(database, SWEEP)
    assert record(database, held, outcome(200)) == "delivered"


def test_an_unclaimed_delivery_is_published_again(database, hook):
    for age, kept in ((30, True), (61, False)):
        with database.writing() as session:
            session.execute(update(DeliveryRow).values(enqueued_at=now() - age * SECOND))
        sweep_deliveries(database, SWEEP)
        assert (only(database, DeliveryRow).enqueued_at is not None) == kept


def test_a_message_that_idle_workers_did_not_hear_is_soon_published_again(database, hook, caller):
    held = claim(database)  # the only slot is busy: the next one may well have been heard
    with database.writing() as session:
        register(session, WorkerIdentity(id="d1", queues=("deliver",), slots=1), None)
        second = WebhookRepository(session, caller).test(hook.webhook.id).id
        session.get(DeliveryRow, second).enqueued_at = now() - 6 * SECOND
    sweep_deliveries(database, SWEEP)
    assert published(database) == [second]
    record(database, held, outcome(200))
    sweep_deliveries(database, SWEEP)
    assert published(database) == []


def published(database):
    with database.reading() as session:
        waiting = (DeliveryRow.state == "pending", DeliveryRow.enqueued_at.is_not(None))
        return session.scalars(select(DeliveryRow.id).where(*waiting)).all()


def test_what_waits_for_a_disabled_webhook_has_failed(database, hook, caller):
    with database.writing() as session:
        WebhookRepository(session, caller).update(hook.webhook.id, enabled=False)
    assert claim(database) is None
    sweep_deliveries(database, SWEEP)
    row = only(database, DeliveryRow)
    assert (row.state, row.attempt) == ("failed", 0)


def test_messages_are_forgotten_with_their_log_when_they_are_old(database, hook):
    record(database, claim(database), outcome(200))
    for age, left in ((29, 1), (31, 0)):
        with database.writing() as session:
            session.execute(update(MessageRow).values(created_at=now() - timedelta(days=age)))
        sweep_deliveries(database, SWEEP)
        with database.reading() as session:
            assert [len(session.scalars(select(t)).all()) for t in (MessageRow, DeliveryRow, DeliveryAttemptRow)] == [
                left,
                left,
                left,
            ]


def test_waits_vary_by_a_fifth_and_heed_the_receiver_up_to_a_day():
    waits = [PLAN.wait_after(2, None).total_seconds() for _ in range(200)]
    assert 240 <= min(waits) < 270
    assert 330 < max(waits) <= 360
    assert PLAN.wait_after(1, timedelta(minutes=10)) == timedelta(minutes=10)
    assert PLAN.wait_after(1, timedelta(days=9)) == timedelta(days=1)
    assert PLAN.wait_after(2, timedelta(0)) >= timedelta(seconds=240)


def test_the_plans_follow_the_settings():
    settings = Settings(
        webhook_retries=("1", "PT2S"), webhook_disable_after="60", webhook_retention="90", webhook_timeout="3"
    )
    assert delivery_retry_policy(settings) == DeliveryRetryPolicy(waits=(SECOND, 2 * SECOND), disable_after=60 * SECOND)
    assert delivery_sweep(settings).keep == 90 * SECOND
    assert delivery_lease(settings) > 3 * SECOND
    assert delivery_retry_policy(Settings()).attempts == 10
    assert sum(delivery_retry_policy(Settings()).waits, timedelta(0)) > timedelta(days=3)
