import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model.bundle.bundle import open_bundle
from model.bundle.keys import key_id
from model.bundle.manifest import SIGNATURE
from model.bundle.signature import Trust, write_signature
from model.errors import BundleTampered, BundleUntrusted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def copy(signed_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed_bundle, tmp_path / "bundle"))


@pytest.fixture
def trust(signing_key: Ed25519PrivateKey) -> Trust:
    return Trust(keys=(signing_key.public_key(),), required=True)


def rewrite(folder: Path, **changes: str) -> None:
    file = folder / SIGNATURE
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_bundle_tells_the_trusted_key_that_signed_it(
    signed_bundle: Path, signing_key: Ed25519PrivateKey, trust: Trust
) -> None:
    bundle = open_bundle(signed_bundle, trust)
    assert bundle.signed_by == key_id(signing_key.public_key())
    assert bundle.signature is not None
    assert bundle.signature.signed_at == "2026-11-24T12:00:00Z"


def test_a_signature_changes_nothing_of_what_it_signs(small_bundle: Path, signed_bundle: Path) -> None:
    assert open_bundle(signed_bundle).digest == open_bundle(small_bundle).digest


def test_an_unsigned_bundle_is_refused_where_trust_is_required(small_bundle: Path, trust: Trust) -> None:
    with pytest.raises(BundleUntrusted, match="not signed"):
        open_bundle(small_bundle, trust)


def test_a_bundle_signed_by_an_unknown_key_is_refused_by_the_name_of_that_key(
    signed_bundle: Path, signing_key: Ed25519PrivateKey
) -> None:
    trust = Trust(keys=(Ed25519PrivateKey.generate().public_key(),), required=True)
    with pytest.raises(BundleUntrusted, match=key_id(signing_key.public_key())):
        open_bundle(signed_bundle, trust)


def test_only_a_trusted_key_is_named_as_signer(small_bundle: Path, signed_bundle: Path) -> None:
    assert open_bundle(small_bundle, Trust()).signed_by is None
    assert open_bundle(signed_bundle, Trust()).signed_by is None


def test_a_signature_of_another_bundle_does_not_fit(copy: Path, swapped_bundle: Path) -> None:
    shutil.copyfile(swapped_bundle / SIGNATURE, copy / SIGNATURE)
    with pytest.raises(BundleTampered, match="does not match"):
        open_bundle(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"signed_at": "2027-11-24T12:00:00Z"},
        {"key": "0" * 16},
        {"public_key": "ab" * 32},
        {"signature": "00" * 64},
        {"signature": "AB" * 64},
        {"algorithm": "none"},
        {"comment": "trust me"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_nothing_in_a_signature_can_be_exchanged(copy: Path, changes: dict[str, str]) -> None:
    rewrite(copy, **changes)
    with pytest.raises(BundleTampered, match="signature"):
        open_bundle(copy)


def test_a_signature_by_an_untrusted_key_is_refused(copy: Path, trust: Trust) -> None:
    forger = Ed25519PrivateKey.generate()
    write_signature(copy, forger, NOON)
    with pytest.raises(BundleUntrusted):
        open_bundle(copy, trust)
    # Not even under the name of the trusted key.
    rewrite(copy, key=key_id(trust.keys[0]))
    with pytest.raises(BundleTampered):
        open_bundle(copy, trust)
