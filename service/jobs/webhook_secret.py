"""Secrets of webhooks: `whsec_` and 256 random bits in base64, as the Standard Webhooks specification has them."""

from __future__ import annotations

import base64
import secrets

PREFIX = "whsec_"
BYTES = 32


def new_secret() -> str:
    """A secret that nobody has yet."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes to sign with."""
    return base64.b64decode(secret.removeprefix(PREFIX))
