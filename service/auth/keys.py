"""API keys, which are shown once and stored as an HMAC, and the peppers that key the HMAC.

A key is `hil_<8 visible characters>_<43 characters>`. The visible part is the primary key of its row; the rest is 256
random bits, so a fast keyed hash suffices and verification costs a single read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update

from service.auth.caller import Caller
from service.errors.tree import Unauthenticated
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.tables import ApiKeyRow

VISIBLE_CHARACTERS = string.ascii_lowercase + string.digits
KEY_PATTERN = re.compile(r"hil_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
REFUSAL = "No valid API key came with the request."


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """The stored facts of a key."""

    id: str
    tenant: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A new key with the only copy of its secret."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"IssuedKey(id={self.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peppers:
    """Secrets by version, so that they can be rotated; the repr leaves them out."""

    by_version: dict[int, bytes]

    def __repr__(self) -> str:
        return f"Peppers(versions={sorted(self.by_version)})"

    @property
    def current(self) -> int:
        """The version for new keys."""
        return max(self.by_version)

    def digest(self, key: str, version: int) -> str | None:
        """HMAC-SHA256 of a key in hexadecimal; None when the version is unknown."""
        pepper = self.by_version.get(version)
        return None if pepper is None else hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


class ApiKeyRepository:
    """The API keys of all tenants."""

    def __init__(self, database: Database, peppers: Peppers) -> None:
        self._database = database
        self._peppers = peppers

    def issue(self, *, name: str, tenant: str) -> IssuedKey:
        """Issue a key for a tenant."""
        visible = "".join(secrets.choice(VISIBLE_CHARACTERS) for _ in range(8))
        secret = f"hil_{visible}_{secrets.token_urlsafe(32)}"
        version = self._peppers.current
        with self._database.writing() as session:
            session.add(
                ApiKeyRow(
                    id=visible,
                    tenant=tenant,
                    name=name,
                    digest=self._peppers.digest(secret, version) or "",
                    pepper_version=version,
                    created_at=now(),
                    revoked_at=None,
                )
            )
        return IssuedKey(id=visible, secret=secret)

    def verify(self, secret: str) -> Caller:
        """The caller that holds this key. Raises Unauthenticated without saying why the key is invalid."""
        match = KEY_PATTERN.fullmatch(secret)
        # A malformed key costs no query.
        if match is None:
            raise Unauthenticated(REFUSAL)
        key_id = match.group(1)
        row = self._database.read(lambda session: session.get(ApiKeyRow, key_id))
        expected = None if row is None else self._peppers.digest(secret, row.pepper_version)
        if row is None or expected is None or not hmac.compare_digest(expected, row.digest):
            raise Unauthenticated(REFUSAL)
        if row.revoked_at is not None:
            raise Unauthenticated(REFUSAL)
        return Caller(key_id=row.id, tenant=row.tenant)

    def revoke(self, key_id: str) -> bool:
        """Revoke a key at once; False when there is no such key or it was revoked before."""
        with self._database.writing() as session:
            revoked = session.scalars(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
                .values(revoked_at=now())
                .returning(ApiKeyRow.id)
            ).all()
        return bool(revoked)

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at)).all()
        return tuple(
            ApiKey(
                id=row.id,
                tenant=row.tenant,
                name=row.name,
                created_at=row.created_at,
                revoked_at=row.revoked_at,
            )
            for row in rows
        )


def load_peppers(settings: Settings) -> Peppers:
    """The configured peppers; without any, one generated in the data folder with mode 600."""
    if settings.peppers:
        return Peppers(
            by_version={version: secret.get_secret_value().encode() for version, secret in settings.peppers.items()}
        )
    return Peppers(by_version={1: _read_or_create_pepper(settings.folder / "pepper")})


def _read_or_create_pepper(path: Path) -> bytes:
    """Read the pepper file; create it first if it is missing.

    The file is written under another name and linked into place, so that two processes that start at the same time use
    the same pepper and none reads a partial file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            path.hardlink_to(draft)
        # Another process was first, and its pepper counts.
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
