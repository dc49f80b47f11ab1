"""The public keys that bundles are signed with, and how they are named."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from model.errors import SigningKeyUnusable

KEY_ID_DIGITS = 16


def key_id(key: Ed25519PublicKey) -> str:
    """The first digits of the sha256 of the key's DER form: `openssl pkey -pubin -outform DER | sha256sum`."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:KEY_ID_DIGITS]


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key in PEM form; raises SigningKeyUnusable."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable("this is no public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyUnusable("the public key is not an Ed25519 key")
    return key
