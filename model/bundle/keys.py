"""Public keys of bundle signatures, and their ids."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from model.errors import SigningKeyUnusable

KEY_ID_DIGITS = 16


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the sha256 of the key in DER form.

    The same as `openssl pkey -pubin -outform DER | sha256sum`.
    """
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:KEY_ID_DIGITS]


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key in PEM form; raises SigningKeyUnusable."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable("this is not a public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyUnusable("the public key is not an Ed25519 key")
    return key
