"""`/v1/webhooks` over HTTP."""

import re

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from service.assessments.states import State
from service.storage.tables import DeliveryRow, MessageRow, WebhookRow
from service.webhooks.deliveries import DeliveryRepository
from service.webhooks.signing import signed_headers

URL = "https://clinic.example/hooks?token=1"


def add(api, *, key=None, **order):
    return api.client.post("/v1/webhooks", json={"url": URL, **order}, headers=api.headers(key))


def post(api, path, *, key=None):
    return api.client.post(path, headers=api.headers(key))


@pytest.fixture
def hook(api):
    """Where a webhook is found."""
    return add(api).headers["location"]


def rows(api, table):
    with api.database.reading() as session:
        return session.scalars(select(table)).all()


def test_a_webhook_is_made_and_its_secret_shown_once(api):
    response = add(api, events=["assessment.failed", "assessment.succeeded"])
    assert response.status_code == 201
    made = response.json()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    assert (made["url"], made["state"]) == (URL, "enabled")
    assert made["events"] == ["assessment.failed", "assessment.succeeded"]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"] == made["links"]["self"] == f"/v1/webhooks/{made['id']}"
    shown = api.get(response.headers["location"])
    assert shown.json() == {name: value for name, value in made.items() if name != "secret"}
    assert api.get("/v1/webhooks").json()["items"] == [shown.json()]
    assert "whsec" not in shown.text


@pytest.mark.parametrize("events", [None, []])
def test_a_webhook_without_events_receives_all_events(api, events):
    assert add(api, events=events).json()["events"] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://clinic.example/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://localhost/",
        "https://u:p@a.example/",
    ],
)
def test_a_url_that_leads_inside_is_refused_and_not_repeated(api, hook, url):
    for response in (add(api, url=url), api.client.patch(hook, json={"url": url}, headers=api.headers())):
        assert (response.status_code, response.json()["code"]) == (422, "webhook_url_refused")
        assert url not in response.text
    assert [row.url for row in rows(api, WebhookRow)] == [URL]


@pytest.mark.parametrize(
    "order",
    [
        {"events": ["assessment.scored"]},
        {"url": ""},
        {"url": None},
        {"secret": "x"},
        {"url": f"https://a.b/{'x' * 2048}"},
    ],
)
def test_an_order_that_is_not_valid_is_refused(api, order):
    assert add(api, **order).json()["code"] == "invalid_request"


def test_the_eleventh_webhook_is_refused(api):
    for _ in range(10):
        assert add(api).status_code == 201
    assert (add(api).status_code, add(api).json()["code"]) == (409, "webhook_limit")
    assert add(api, key=api.foreign_key).status_code == 201


def test_another_tenants_webhook_does_not_exist(api, hook):
    foreign = {"headers": api.headers(api.foreign_key)}
    answers = [
        api.client.get(hook, **foreign),
        api.client.patch(hook, json={"enabled": False}, **foreign),
        api.client.delete(hook, **foreign),
        api.client.get(f"{hook}/deliveries", **foreign),
        *(api.client.post(f"{hook}/{verb}", **foreign) for verb in ("test", "rotate-secret", "deliveries/x/replay")),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "webhook_not_found")}
    assert api.get("/v1/webhooks", key=api.foreign_key).json() == {"items": []}
    assert api.get(hook).status_code == 200


def test_a_change_leaves_the_rest_alone(api, hook):
    def change(**fields):
        return api.client.patch(hook, json=fields, headers=api.headers()).json()

    assert change(events=["webhook.test"])["url"] == URL
    assert change(url="https://new.example/")["events"] == ["webhook.test"]
    off = change(enabled=False)
    assert (off["state"], off["disabled_reason"]) == ("disabled", "switched_off")
    assert post(api, f"{hook}/test").json()["code"] == "webhook_disabled"
    assert change(enabled=True)["disabled_reason"] is None
    assert change(events=None)["events"] == []


def test_after_a_rotation_both_secrets_verify_what_is_sent(api):
    made = add(api).json()
    hook = made["links"]["self"]
    rotated = post(api, f"{hook}/rotate-secret").json()
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] is not None
    sent = post(api, f"{hook}/test").json()
    with api.database.writing() as session:
        claim = DeliveryRepository(session, "w1").claim(
            sent["id"], api.client.app.state.components.settings.stage_lease, 9
        )
    (message,) = rows(api, MessageRow)
    headers = signed_headers(claim.secrets, claim.message_id, message.created_at, claim.payload.encode())
    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(claim.payload, headers)["type"] == "webhook.test"


def test_a_test_is_sent_and_shows_in_the_log_and_can_be_replayed(api, hook):
    sent = post(api, f"{hook}/test")
    assert sent.status_code == 202
    delivery = sent.json()
    assert (delivery["event"], delivery["state"], delivery["attempts"]) == ("webhook.test", "pending", [])
    log = api.get(f"{hook}/deliveries?limit=5").json()["items"]
    assert [one["message_id"] for one in log] == [delivery["message_id"]]
    assert api.get(f"{hook}/deliveries?state=failed").json() == {"items": []}
    again = post(api, f"{hook}/deliveries/{delivery['id']}/replay")
    assert (again.status_code, again.json()["message_id"]) == (202, delivery["message_id"])
    assert post(api, f"{hook}/deliveries/x/replay").json()["code"] == "delivery_not_found"


def test_deleting_an_unfinished_assessment_tells_of_its_end_once(api, hook):
    location = api.post(audio=b"RIFF\x00\x00\x00\x00WAVE", metadata={"reference": "visit-7"}).headers["location"]
    assert api.delete(location).status_code == 204
    assert api.delete(location).status_code == 204
    (message,) = rows(api, MessageRow)
    assert message.event == f"assessment.{State.CANCELLED}"
    assert location.endswith(message.subject)
    assert "visit-7" not in message.payload


def test_a_deleted_webhook_is_gone(api, hook):
    post(api, f"{hook}/test")
    assert api.delete(hook).status_code == 204
    assert api.get(hook).status_code == 404
    assert rows(api, DeliveryRow) == []


def test_what_is_asked_twice_under_one_key_is_done_once(api):
    def keyed(path, key, **body):
        return api.client.post(path, headers={**api.headers(), "Idempotency-Key": key}, **body)

    first, again = (keyed("/v1/webhooks", "add", json={"url": URL}) for _ in range(2))
    assert (first.status_code, first.json(), first.headers["location"]) == (
        again.status_code,
        again.json(),
        again.headers["location"],
    )
    assert len(rows(api, WebhookRow)) == 1
    assert keyed("/v1/webhooks", "add", json={"url": "https://other.example/"}).status_code == 422
    path = first.headers["location"]
    for verb in ("rotate-secret", "test"):
        one, two = (keyed(f"{path}/{verb}", verb) for _ in range(2))
        assert one.is_success
        assert one.json() == two.json()
    (delivery,) = rows(api, DeliveryRow)
    one, two = (keyed(f"{path}/deliveries/{delivery.id}/replay", "replay") for _ in range(2))
    assert one.is_success
    assert one.json() == two.json()
