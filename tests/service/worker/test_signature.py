"""Signatures as the Standard Webhooks' own library verifies them."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from service.jobs.webhook_secret import key_of, new_secret
from service.worker.signature import signed_headers

BODY = '{"type":"webhook.test","data":{"name":"Ä"}}'.encode()
NOW = datetime.now(UTC)


def test_a_message_verifies():
    secret = new_secret()
    assert Webhook(secret).verify(BODY, signed_headers((secret,), "msg_1", NOW, BODY))["type"] == "webhook.test"


def test_during_a_rotation_it_verifies_with_the_old_and_with_the_new_secret():
    old, new = new_secret(), new_secret()
    headers = signed_headers((new, old), "msg_1", NOW, BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


@pytest.mark.parametrize("change", [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}])
def test_id_and_time_are_signed_too(change):
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, signed_headers((secret,), "msg_1", NOW, BODY) | change)


def test_a_changed_body_does_not_verify():
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed_headers((secret,), "msg_1", NOW, BODY))


def test_an_old_message_cannot_be_sent_again_by_another():
    secret = new_secret()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, signed_headers((secret,), "msg_1", NOW - timedelta(minutes=6), BODY))


def test_secrets_have_256_bits_and_are_never_the_same():
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(key_of(secret)) for secret in made} == {32}
    assert all(secret.startswith("whsec_") for secret in made)
