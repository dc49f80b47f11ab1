"""Private signing keys. They belong to the releaser, never into a bundle or a repository."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from model.errors import SigningKeyUnusable

OWNER_ALONE = 0o600


def make_key(file: Path) -> Path:
    """Write a new private key, readable by its owner only, and its public key; returns the file of the public key.

    Raises SigningKeyUnusable when a file exists, because an overwritten key cannot be recovered.
    """
    public_file = file.with_name(f"{file.name}.pub")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    file.parent.mkdir(parents=True, exist_ok=True)
    # The private key first: where one exists, no public key of another pair is written beside it.
    for target, content, mode in ((file, private, OWNER_ALONE), (public_file, public, 0o644)):
        _write_new(target, content, mode)
    return public_file


def read_signing_key(file: Path) -> Ed25519PrivateKey:
    """Read a private key in PEM form; raises SigningKeyUnusable."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    # TypeError: the key has a passphrase.
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable("this is not a private key in PEM form without a passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyUnusable("the private key is not an Ed25519 key")
    return key


def _write_new(file: Path, content: bytes, mode: int) -> None:
    try:
        # O_EXCL leaves no moment between check and write, and the file never has a wider mode than its own.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise SigningKeyUnusable("a key of this name exists", advice="Choose another file.") from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
