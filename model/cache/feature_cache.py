"""A content-addressed cache in a folder: one file per key, where the key is a digest of all inputs.

Several processes may write to one folder at once. Files are written atomically and contain a digest of their content,
so that neither a killed process nor a failing disk yields a wrong result.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_DIGEST_BYTES = 32
_PARTIAL = ".partial"
_ABANDONED_SECONDS = 3600.0  # writing takes milliseconds, so an older partial file belongs to a killed process


def cache_key(*parts: bytes) -> str:
    """The cache key of the parts, in this order: a hexadecimal sha256."""
    digest = hashlib.sha256()
    for part in parts:
        # With its length, so that `ab`, `c` and `a`, `bc` have different keys.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class FeatureCache:
    """Bytes by key, one file per key. A file starts with the sha256 of its content."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._remove_abandoned()

    def get(self, key: str) -> bytes | None:
        """The content of a key; None when it is missing or damaged."""
        try:
            kept = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        return content if digest == hashlib.sha256(content).digest() else None

    def put(self, key: str, content: bytes) -> None:
        """Store the content of a key, replacing an older one."""
        # A name of its own, because two processes may write the same key at once (decision 0010).
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
