"""The secrets that API keys are hashed with, by version, so that they can be rotated."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from service.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Peppers:
    """Secrets by version; never printed."""

    by_version: dict[int, bytes]

    def __repr__(self) -> str:
        return f"Peppers(versions={sorted(self.by_version)})"

    @property
    def current(self) -> int:
        """The version that hashes new keys."""
        return max(self.by_version)

    def digest(self, key: str, version: int) -> str | None:
        """HMAC-SHA256 of a key in hex; None when that version is gone."""
        pepper = self.by_version.get(version)
        return None if pepper is None else hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def load_peppers(settings: Settings) -> Peppers:
    """The configured peppers; without any, one generated into the data folder for its owner alone."""
    if settings.peppers:
        return Peppers(
            by_version={version: secret.get_secret_value().encode() for version, secret in settings.peppers.items()}
        )
    return Peppers(by_version={1: _read_or_create_pepper(settings.folder / "pepper")})


def _read_or_create_pepper(path: Path) -> bytes:
    """Read the pepper file, or make it whole under another name: two processes that start agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
