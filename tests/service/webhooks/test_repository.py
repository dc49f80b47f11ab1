import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.errors.not_found import DeliveryNotFound, WebhookNotFound
from service.errors.request import WebhookDisabled, WebhookLimit
from service.storage.database import now
from service.storage.tables import DeliveryRow, WebhookRow
from service.webhooks.deliveries import DeliveryRepository
from service.webhooks.repository import MAX_WEBHOOKS, WebhookRepository
from service.webhooks.states import AttemptError, AttemptResult, DeliveryRetryPolicy, DeliveryState, Event

SECOND = timedelta(seconds=1)
PLAN = DeliveryRetryPolicy(waits=(), disable_after=timedelta(days=5))


@pytest.fixture
def hook(database, add_webhook):
    return add_webhook(database).webhook.id


@pytest.fixture
def ask(database, caller):
    """Call a method of the caller's repository in a transaction of its own."""

    def ask(method, *arguments, by=caller, **options):
        with database.writing() as session:
            return getattr(WebhookRepository(session, by), method)(*arguments, **options)

    return ask


def attempt(database, delivery_id, **fields):
    with database.writing() as session:
        held = DeliveryRepository(session, "w1").claim(delivery_id, 9 * SECOND, 9)
        DeliveryRepository(session, "w1").record(held, AttemptResult(at=now(), seconds=0.5, **fields), PLAN)


def test_webhooks_are_read_as_they_were_created(database, ask, add_webhook):
    first = add_webhook(database, "https://one.example/", events=[Event.BATCH_FINISHED, Event.BATCH_FINISHED])
    second = add_webhook(database, "https://two.example/")
    assert ask("all") == (first.webhook, second.webhook)
    assert ask("get", first.webhook.id).events == (Event.BATCH_FINISHED,)
    assert first.secret != second.secret


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get", ()),
        ("delete", ()),
        ("test", ()),
        ("rotate", (SECOND,)),
        ("replay", ("d1",)),
    ],
)
def test_another_tenants_webhook_does_not_exist(ask, hook, stranger, method, arguments):
    with pytest.raises(WebhookNotFound):
        ask(method, hook, *arguments, by=stranger)
    with pytest.raises(WebhookNotFound):
        ask("update", hook, url="https://evil.example/", by=stranger)
    with pytest.raises(WebhookNotFound):
        ask("deliveries", hook, limit=9, state=None, by=stranger)
    assert ask("all", by=stranger) == ()
    assert ask("get", hook).url == "https://clinic.example/"


def test_a_tenant_has_ten_webhooks_at_most_also_when_it_asks_twice_at_once(database, add_webhook, caller, stranger):
    for _ in range(MAX_WEBHOOKS - 1):
        add_webhook(database)
    refused = []

    def add():
        try:
            add_webhook(database)
        except WebhookLimit:
            refused.append(1)

    second = threading.Thread(target=add)
    with database.writing() as session:
        WebhookRepository(session, caller).add("https://clinic.example/", ())
        second.start()
        second.join(0.1)
    second.join()
    assert refused == [1]
    add_webhook(database, by=stranger)


def test_only_what_is_given_is_changed(ask, hook):
    assert ask("update", hook, events=[Event.TEST]).url == "https://clinic.example/"
    changed = ask("update", hook, url="https://new.example/")
    assert (changed.url, changed.events, changed.state) == ("https://new.example/", (Event.TEST,), "enabled")
    assert ask("update", hook, events=()).events == ()


def test_failures_of_an_earlier_url_do_not_count(database, ask, hook):
    attempt(database, ask("test", hook).id, status=500)
    assert ask("get", hook).failing_since is not None
    assert ask("update", hook, events=()).failing_since is not None
    assert ask("update", hook, url="https://new.example/").failing_since is None


def test_a_webhook_that_is_enabled_again_begins_anew(database, ask, hook):
    assert ask("update", hook, enabled=False).disabled_reason == "switched_off"
    with pytest.raises(WebhookDisabled):
        ask("test", hook)
    with database.writing() as session:
        session.execute(update(WebhookRow).values(failing_since=now() - timedelta(days=9)))
    webhook = ask("update", hook, enabled=True)
    assert (webhook.state, webhook.disabled_reason, webhook.failing_since) == ("enabled", None, None)


def test_why_a_webhook_was_disabled_is_not_overwritten(database, ask, hook):
    attempt(database, ask("test", hook).id, status=410)
    assert ask("update", hook, enabled=False).disabled_reason == "gone"


def test_the_log_shows_the_newest_first_with_their_attempts(database, ask, hook):
    first, second = ask("test", hook), ask("test", hook)
    attempt(database, first.id, status=500)
    attempt(database, second.id, status=204)
    log = ask("deliveries", hook, limit=9, state=None)
    assert [one.id for one in log] == [second.id, first.id]
    assert [(one.state, one.attempts[0].status) for one in log] == [("delivered", 204), ("failed", 500)]
    assert [one.id for one in ask("deliveries", hook, limit=9, state=DeliveryState.FAILED)] == [first.id]
    assert [one.id for one in ask("deliveries", hook, limit=1, state=None)] == [second.id]


@pytest.mark.parametrize("end", [{"status": 204}, {"error": AttemptError.TIMEOUT}])
def test_a_replay_sends_the_same_message_again(database, ask, hook, end):
    sent = ask("test", hook)
    attempt(database, sent.id, **end)
    again = ask("replay", hook, sent.id)
    assert (again.state, again.message_id, len(again.attempts)) == ("pending", sent.message_id, 1)
    attempt(database, sent.id, status=204)
    (line,) = ask("deliveries", hook, limit=9, state=None)
    assert [one.number for one in line.attempts] == [1, 1]


def test_what_is_being_sent_is_not_replayed(database, ask, hook):
    sent = ask("test", hook)
    with database.writing() as session:
        DeliveryRepository(session, "w1").claim(sent.id, 9 * SECOND, 9)
    assert ask("replay", hook, sent.id).state == "leased"


def test_the_delivery_of_another_webhook_is_not_replayed(database, ask, hook, add_webhook):
    other = add_webhook(database).webhook.id
    sent = ask("test", hook)
    for delivery_id in (sent.id, "unknown"):
        with pytest.raises(DeliveryNotFound):
            ask("replay", other, delivery_id)


def test_a_deleted_webhook_is_gone_with_its_log(database, ask, hook):
    attempt(database, ask("test", hook).id, status=204)
    ask("delete", hook)
    with database.reading() as session:
        assert session.scalars(select(DeliveryRow)).all() == []
    with pytest.raises(WebhookNotFound):
        ask("get", hook)
