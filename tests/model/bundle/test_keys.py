import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from model.bundle.keys import key_id, read_public_key
from model.errors import SigningKeyUnusable

PEM, SPKI = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo


def test_a_public_key_is_read_back(signing_key: Ed25519PrivateKey) -> None:
    public = signing_key.public_key()
    assert read_public_key(public.public_bytes(PEM, SPKI)) == public


def test_the_id_is_what_openssl_and_sha256sum_say(signing_key: Ed25519PrivateKey, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_bytes(signing_key.public_key().public_bytes(PEM, SPKI))
    command = ("openssl", "pkey", "-pubin", "-in", str(file), "-outform", "DER")
    try:
        der = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert key_id(signing_key.public_key()) == hashlib.sha256(der).hexdigest()[:16]


def test_what_is_no_ed25519_public_key_is_refused(signing_key: Ed25519PrivateKey) -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(PEM, SPKI)
    private = signing_key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (curve, private, b"", b"ssh-ed25519 AAAA"):
        with pytest.raises(SigningKeyUnusable):
            read_public_key(content)
