"""Signatures as the Standard Webhooks' own library verifies them."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from service.webhooks.signing import new_secret, signed_headers, signing_key

BODY = '{"type":"webhook.test","data":{"name":"Ä"}}'.encode()


def test_a_message_verifies():
    secret = new_secret()
    assert (
        Webhook(secret).verify(BODY, signed_headers((secret,), "msg_1", datetime.now(UTC), BODY))["type"]
        == "webhook.test"
    )


def test_during_a_rotation_it_verifies_with_the_old_and_with_the_new_secret():
    old, new = new_secret(), new_secret()
    headers = signed_headers((new, old), "msg_1", datetime.now(UTC), BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_too(name):
    secret, now = new_secret(), datetime.now(UTC)
    change = {name: "msg_2" if name == "webhook-id" else str(int(now.timestamp()) + 1)}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, signed_headers((secret,), "msg_1", datetime.now(UTC), BODY) | change)


def test_a_changed_body_does_not_verify():
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed_headers((secret,), "msg_1", datetime.now(UTC), BODY))


def test_an_old_message_cannot_be_sent_again_by_another():
    secret = new_secret()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, signed_headers((secret,), "msg_1", datetime.now(UTC) - timedelta(minutes=6), BODY))


def test_secrets_have_256_bits_and_are_never_the_same():
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(signing_key(secret)) for secret in made} == {32}
    assert all(secret.startswith("whsec_") for secret in made)
