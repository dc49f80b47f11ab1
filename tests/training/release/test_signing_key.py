import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from model.bundle.keys import read_public_key
from model.errors import SigningKeyUnusable
from training.release.signing_key import make_key, read_signing_key


def test_a_pair_is_made_whose_private_half_its_owner_alone_may_read(tmp_path):
    public = make_key(tmp_path / "keys" / "release.key")
    private = tmp_path / "keys" / "release.key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public.name == "release.key.pub"
    assert read_signing_key(private).public_key() == read_public_key(public.read_bytes())


@pytest.mark.parametrize("name", ["release.key", "release.key.pub"])
def test_an_existing_key_is_never_replaced(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(SigningKeyUnusable):
        make_key(tmp_path / "release.key")
    assert (tmp_path / name).read_text() == "precious"


def test_what_is_no_ed25519_private_key_is_refused(tmp_path, signing_key):
    curve = ec.generate_private_key(ec.SECP256R1())
    locked = signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    for content in (curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), locked, b"", b"\xff"):
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(SigningKeyUnusable):
            read_signing_key(tmp_path / "key")
    with pytest.raises(SigningKeyUnusable):
        read_signing_key(tmp_path / "nowhere")
