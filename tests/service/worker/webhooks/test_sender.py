"""From a delivery's id to a request at a real receiver and a line in the log."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import select, update
from standardwebhooks import Webhook

from service.observability.traces import span
from service.storage.tables import DeliveryAttemptRow, DeliveryRow, WebhookRow
from service.webhooks.repository import WebhookRepository
from service.webhooks.states import DeliveryRetryPolicy
from service.webhooks.url_policy import UrlPolicy
from service.worker.webhooks.http_client import WebhookClient, WebhookResponse
from service.worker.webhooks.sender import WebhookSender, parse_retry_after
from tests.receiver import Receiver

SECOND = timedelta(seconds=1)
PLAN = DeliveryRetryPolicy(waits=(SECOND, SECOND), disable_after=timedelta(days=5))
LOCAL = UrlPolicy(allow_http=True, networks=(ip_network("127.0.0.0/8"),))


@pytest.fixture
def deliver(sqlite, add_webhook, caller):
    """Send a test message to a receiver; returns what was issued, the delivery and the last line of its log."""
    runner = WebhookSender(sqlite, WebhookClient(LOCAL, timeout=10 * SECOND), worker="d1", plan=PLAN, lease=30 * SECOND)

    def deliver(url):
        issued = add_webhook(sqlite, url)
        with sqlite.writing() as session:
            sent = WebhookRepository(session, caller).test(issued.webhook.id)
        assert runner.run(sent.id)
        with sqlite.reading() as session:
            line = session.scalars(select(DeliveryAttemptRow)).one()
            return issued, session.get(DeliveryRow, sent.id), line

    cast(Any, deliver).runner = runner
    return deliver


def test_a_receiver_can_verify_the_signature(deliver):
    with Receiver() as receiver:
        issued, delivery, line = deliver(receiver.url)
    (request,) = receiver.requests
    payload = Webhook(issued.secret).verify(request.body, request.headers)
    assert (payload["type"], payload["data"]["id"]) == ("webhook.test", issued.webhook.id)
    assert request.headers["webhook-id"] == delivery.message_id
    assert request.headers["content-type"] == "application/json"
    assert (delivery.state, line.status, line.error) == ("delivered", 204, None)
    assert not deliver.runner.run(delivery.id)
    assert not deliver.runner.run("unknown")


def test_neither_url_nor_secret_nor_body_is_logged(deliver):
    with Receiver() as receiver, structlog.testing.capture_logs() as entries:
        issued, _, _ = deliver(f"{receiver.url}?token=hunter2")
    assert [entry["event"] for entry in entries] == ["delivery attempted"]
    assert not any(word in str(entries) for word in ("hunter2", "127.0.0.1", issued.secret, "webhook.test"))


def test_a_redirect_is_a_failure(deliver):
    with Receiver(302, headers={"Location": "https://elsewhere.example/"}) as receiver:
        _, delivery, line = deliver(receiver.url)
    assert (delivery.state, line.status, line.error) == ("pending", 302, "redirect")


def test_retry_after_delays_the_next_attempt(deliver):
    with Receiver(429, headers={"Retry-After": "3600"}) as receiver:
        _, delivery, line = deliver(receiver.url)
    assert line.status == 429
    assert (delivery.not_before - line.at).total_seconds() >= 3600


def test_an_unreachable_receiver_is_recorded(deliver, closed_port):
    _, delivery, line = deliver(f"http://127.0.0.1:{closed_port}/")
    assert (delivery.state, line.status, line.error) == ("pending", None, "connection")


def test_a_refused_address_is_recorded_and_never_reached(deliver):
    _, delivery, line = deliver("http://10.0.0.1/")
    assert (delivery.state, line.error) == ("pending", "url_refused")


def test_the_first_attempt_is_in_the_event_s_trace_and_later_ones_link_to_it(deliver, sqlite, traced):
    with Receiver(500) as receiver, span("request"):
        _, delivery, _ = deliver(receiver.url)
        with sqlite.writing() as session:
            session.execute(update(DeliveryRow).values(not_before=None))
        assert deliver.runner.run(delivery.id)
    (request,), (first, second), posts = map(traced, ("request", "process deliver", "POST"))
    assert (first.parent.span_id, first.links) == (request.context.span_id, ())
    assert second.context.trace_id != request.context.trace_id
    assert [link.context.span_id for link in second.links] == [request.context.span_id]
    assert [post.parent.span_id for post in posts] == [first.context.span_id, second.context.span_id]


def test_deleting_a_webhook_during_an_attempt_leaves_no_rows(deliver, sqlite):
    with Receiver() as receiver:

        class Deleting(WebhookClient):
            def post(self, *arguments):
                answer = super().post(*arguments)
                with sqlite.writing() as session:
                    session.delete(session.scalars(select(WebhookRow)).one())
                return answer

        deliver.runner._client = Deleting(LOCAL, timeout=10 * SECOND)
        with structlog.testing.capture_logs() as entries, pytest.raises(Exception, match="No row"):
            deliver(receiver.url)
    assert [entry["event"] for entry in entries] == ["delivery lost"]


MOMENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "said", "wait"),
    [
        (503, "120", 120),
        (429, "0", 0),
        (503, "Mon, 02 Mar 2026 09:01:00 GMT", 60),
        (503, "Mon, 02 Mar 2026 08:00:00 GMT", 0),
        (503, None, None),
        (503, "soon", None),
        (503, "-5", None),
        (503, "9" * 30, None),
        (500, "120", None),
        (200, "120", None),
    ],
)
def test_retry_after_is_parsed_for_statuses_that_allow_it(status, said, wait):
    wait_parsed = parse_retry_after(WebhookResponse(status=status, retry_after=said), MOMENT)
    assert wait_parsed == (None if wait is None else timedelta(seconds=wait))
