"""A folder of results that are named by all that decides them: what is there need not be made again.

Several processes may fill one folder at once. A file appears whole or not at all, and is read only when it still has
the digest it was written with, so that neither a killed process nor a failing disk leaves anything wrong behind.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_DIGEST_BYTES = 32
_PARTIAL = ".partial"
_ABANDONED_SECONDS = 3600.0  # writing takes milliseconds: what is older belongs to a process that was killed


def cache_key(*parts: bytes) -> str:
    """The name of what these parts decide, in this order; hexadecimal sha256."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class FeatureCache:
    """Bytes by key; one file a key, which begins with the sha256 of the rest."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._remove_abandoned()

    def get(self, key: str) -> bytes | None:
        """What is kept under a key; None when there is nothing, or when it is damaged."""
        try:
            kept = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        return content if digest == hashlib.sha256(content).digest() else None

    def put(self, key: str, content: bytes) -> None:
        """Keep the content under a key, in place of whatever is there."""
        partial = self.folder / f"{uuid4().hex}{_PARTIAL}"
        try:
            partial.write_bytes(hashlib.sha256(content).digest() + content)
            partial.replace(self._path(key))
        finally:
            partial.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.features"

    def _remove_abandoned(self) -> None:
        oldest = time.time() - _ABANDONED_SECONDS
        for partial in self.folder.glob(f"*{_PARTIAL}"):
            with suppress(FileNotFoundError):  # another process removes it too
                if partial.stat().st_mtime < oldest:
                    partial.unlink()
