"""The Ed25519 signature of a bundle over the digest of its manifest, and the trusted keys.

The signature contains its public key, so that a change is detected whichever keys are trusted. The signature counts as
trusted only when that key is among the trusted keys (decision 0013).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from model.bundle.keys import KEY_ID_DIGITS, key_id
from model.bundle.manifest import MANIFEST, SIGNATURE
from model.config import FrozenSettings
from model.errors import BundleTampered, BundleUntrusted


class Signature(FrozenSettings):
    """The content of `signature.json`. All values have one canonical form, so a signature has one representation."""

    format: Literal[1] = 1
    algorithm: Literal["ed25519"] = "ed25519"
    key: str = Field(pattern=rf"^[0-9a-f]{{{KEY_ID_DIGITS}}}$", description="id of the public key")
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$", description="the 32 bytes of the public key")
    signed_at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="when, by the signer's clock")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$", description="the 64 bytes of the signature")

    @property
    def public(self) -> Ed25519PublicKey:
        """The public key in the signature."""
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The trusted public keys; with `required`, bundles without a trusted signature are refused."""

    keys: tuple[Ed25519PublicKey, ...] = ()
    required: bool = False

    def judge(self, signature: Signature | None) -> str | None:
        """The id of the trusted key of a verified signature, or None; raises BundleUntrusted if trust is required."""
        if signature is not None and signature.public in self.keys:
            return signature.key
        if self.required:
            state = "not signed" if signature is None else f"signed by the key {signature.key}, which is not trusted"
            raise BundleUntrusted(f"the bundle is {state}")
        return None


def write_signature(folder: Path, key: Ed25519PrivateKey, moment: datetime) -> Signature:
    """Sign the manifest of a sealed bundle."""
    public = key.public_key()
    # The signed message holds these fields, so they are made before the signature.
    unsigned = Signature(
        key=key_id(public),
        public_key=public.public_bytes_raw().hex(),
        signed_at=moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signature="0" * 128,
    )
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    signed = unsigned.model_copy(update={"signature": key.sign(_message(unsigned, digest)).hex()})
    (folder / SIGNATURE).write_text(signed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return signed


def read_signature(folder: Path, digest: str) -> Signature | None:
    """Read and verify the signature of the manifest with this digest; None for an unsigned bundle.

    Raises BundleTampered when the signature does not match. `Trust` decides whether its key is trusted.
    """
    try:
        signature = Signature.model_validate_json((folder / SIGNATURE).read_bytes())
        named = key_id(signature.public)
        signature.public.verify(bytes.fromhex(signature.signature), _message(signature, digest))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise BundleTampered(f"{SIGNATURE} is not a signature") from error
    except (InvalidSignature, ValueError) as error:
        raise BundleTampered("the signature does not match the manifest") from error
    # The check above holds for the key in the file, not for the id beside it.
    if named != signature.key:
        raise BundleTampered("the signature does not name the key it was made with")
    return signature


def _message(signature: Signature, digest: str) -> bytes:
    """The signed bytes. They include time and key, so that neither can be replaced."""
    lines = (
        f"hilbert bundle signature {signature.format}",
        f"algorithm {signature.algorithm}",
        f"key {signature.key}",
        f"signed {signature.signed_at}",
        f"manifest sha256 {digest}",
    )
    return "".join(f"{line}\n" for line in lines).encode()
