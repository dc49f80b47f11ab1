import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.storage.database import now
from service.storage.tables import DeliveryRow, WebhookRow
from service.webhooks.deliveries import DeliveryRepository
from service.webhooks.publisher import has_unclaimed_deliveries, publish_deliveries
from service.webhooks.repository import WebhookRepository
from service.webhooks.states import WebhookState
from service.worker_registry import WorkerIdentity, register

SILENCE = timedelta(seconds=30)


@pytest.fixture
def fill(database, add_webhook, caller, stranger):
    """Webhooks with so many deliveries each; ten is all that a tenant may have."""

    def fill(*counts):
        hooks = []
        for number, count in enumerate(counts):
            by = caller if number < 10 else stranger
            hooks.append(add_webhook(database, by=by).webhook.id)
            for _ in range(count):
                with database.writing() as session:
                    WebhookRepository(session, by).test(hooks[-1])
        return hooks

    return fill


def join(database, slots):
    with database.writing() as session:
        register(session, WorkerIdentity(id="d1", queues=("deliver",), slots=slots), None)


def fails(database, hooks):
    with database.writing() as session:
        session.execute(update(WebhookRow).where(WebhookRow.id.in_(hooks)).values(failing_since=now()))


def published(database):
    """Webhooks of what was published, in order."""
    with database.reading() as session:
        rows = session.scalars(select(DeliveryRow).where(DeliveryRow.enqueued_at.is_not(None))).all()
    return [row.webhook_id for row in rows]


def test_a_delivery_is_rung_once(database, fill, publisher):
    fill(1)
    assert publish_deliveries(database, publisher, SILENCE) == 1
    assert publish_deliveries(database, publisher, SILENCE) == 0
    ((queue, _),) = publisher.published
    assert queue == "deliver"


def test_what_is_published_waits_until_a_worker_has_it(database, fill, publisher):
    def waits():
        with database.reading() as session:
            return has_unclaimed_deliveries(session)

    fill(1)
    assert not waits()
    publish_deliveries(database, publisher, SILENCE)
    assert waits()
    with database.writing() as session:
        DeliveryRepository(session, "d1").claim(publisher.published[0][1], SILENCE, 9)
    assert not waits()


def test_nothing_is_rung_when_nothing_waits(database, publisher):
    assert publish_deliveries(database, publisher, SILENCE) == 0


def test_a_webhook_has_two_in_flight_at_most_also_while_they_are_worked_on(database, fill, publisher):
    join(database, 8)
    fill(5)
    assert publish_deliveries(database, publisher, SILENCE) == 2
    for _, delivery_id in publisher.published:
        with database.writing() as session:
            assert DeliveryRepository(session, "d1").claim(delivery_id, SILENCE, 9) is not None
    assert publish_deliveries(database, publisher, SILENCE) == 0


def test_deliveries_are_published_round_robin_over_the_webhooks(database, fill, publisher):
    join(database, 2)
    busy, *others = fill(6, 1, 1)
    assert publish_deliveries(database, publisher, SILENCE) == 4
    assert sorted(published(database)) == sorted([busy, busy, *others])
    with database.reading() as session:
        turns = [session.get(DeliveryRow, delivery_id).webhook_id for _, delivery_id in publisher.published]
    assert turns[-1] == busy
    assert set(turns[:3]) == {busy, *others}


def test_no_more_is_rung_than_the_workers_can_soon_take_up(database, fill, publisher):
    fill(1, 1, 1, 1)
    assert publish_deliveries(database, publisher, SILENCE) == 2
    join(database, 8)
    assert publish_deliveries(database, publisher, SILENCE) == 2


def test_a_webhook_that_fails_has_one_in_flight(database, fill, publisher):
    join(database, 8)
    fails(database, fill(3))
    assert publish_deliveries(database, publisher, SILENCE) == 1
    assert publish_deliveries(database, publisher, SILENCE) == 0


def test_receivers_that_fail_leave_half_of_the_slots_to_the_others(database, fill, publisher):
    join(database, 4)
    *dead, healthy = fill(*[3] * 9, 1)
    fails(database, dead)
    assert publish_deliveries(database, publisher, SILENCE) == 3
    found = published(database)
    assert healthy in found
    assert len(set(found)) == 3
    assert publish_deliveries(database, publisher, SILENCE) == 0


def test_what_waits_for_its_time_or_for_a_disabled_webhook_is_not_rung(database, fill, publisher):
    early, disabled = fill(1, 1)
    with database.writing() as session:
        session.execute(
            update(DeliveryRow).where(DeliveryRow.webhook_id == early).values(not_before=now() + timedelta(seconds=60))
        )
        session.execute(update(WebhookRow).where(WebhookRow.id == disabled).values(state=WebhookState.DISABLED))
    assert publish_deliveries(database, publisher, SILENCE) == 0


def test_what_could_not_be_rung_waits_for_the_next_time(database, fill, publisher):
    fill(1)
    publisher.broken = True
    assert publish_deliveries(database, publisher, SILENCE) == 0
    publisher.broken = False
    assert publish_deliveries(database, publisher, SILENCE) == 1


def test_pumps_that_meet_ring_each_delivery_once(database, fill, publisher):
    join(database, 8)
    fill(3, 3, 3)
    threads = [threading.Thread(target=publish_deliveries, args=(database, publisher, SILENCE)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(publisher.published) == len(set(publisher.published)) == 6
