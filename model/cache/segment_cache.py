"""A cache of feature vectors by segment in one SQLite file, with bounded size and age.

`feature_cache` stores one file per recording; one file per segment would be a hundred times as many. Several processes
and threads may use the SQLite file at once. Entries contain a digest of their content. Every error of the cache counts
as a miss, because a cache must not fail the work that it saves.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

_DIGEST_BYTES = 32
_WAIT_SECONDS = 10.0
_EVICTED_AT_ONCE = 64
# Deleted entries are overwritten and not copied to a second file, because features are personal data.
# Writes are not synchronised to disk: after a power cut a damaged cache is discarded.
_SETUP = """
PRAGMA journal_mode = TRUNCATE;
PRAGMA synchronous = OFF;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, made REAL NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_age ON entry (made);
"""
_LOOK_UP = "SELECT content FROM entry WHERE key = ? AND made >= ?"
_KEEP = "INSERT OR REPLACE INTO entry (key, made, content) VALUES (?, ?, ?)"
_EXPIRE = "DELETE FROM entry WHERE made < ?"
_EVICT = "DELETE FROM entry WHERE key IN (SELECT key FROM entry ORDER BY made LIMIT ?)"

Found = TypeVar("Found")


class SegmentCache:
    """Bytes by key in one file. Entries older than `age` seconds, and the oldest above `most_bytes`, are removed."""

    def __init__(
        self,
        file: Path,
        *,
        most_bytes: int | None = None,
        age: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.file = file
        self.age = age  # seconds
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self.prune()

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The contents of the keys; missing and damaged entries are left out."""

        def look_up(connection: sqlite3.Connection) -> dict[str, bytes]:
            oldest = self._oldest()
            rows = [connection.execute(_LOOK_UP, (key, oldest)).fetchone() for key in keys]
            return {key: content for key, row in zip(keys, rows, strict=True) if row and (content := _sound(row[0]))}

        return self._run(look_up) or {}

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store contents by key, replacing older ones. A content must not be empty."""
        made = self._clock()
        rows = [(key, made, hashlib.sha256(content).digest() + content) for key, content in contents.items()]

        def keep(connection: sqlite3.Connection) -> None:
            connection.executemany(_KEEP, rows)
            self._prune(connection)

        self._run(keep)

    def prune(self) -> None:
        """Remove old and surplus entries. `put` does it too, but an idle encoder puts nothing."""
        self._run(self._prune)

    def close(self) -> None:
        """Close the file; the next use reopens it."""
        with self._lock:
            self._disconnect()

    def _prune(self, connection: sqlite3.Connection) -> None:
        connection.execute(_EXPIRE, (self._oldest(),))
        while self._most_bytes is not None and _used(connection) > self._most_bytes:
            if not connection.execute(_EVICT, (_EVICTED_AT_ONCE,)).rowcount:
                return

    def _oldest(self) -> float:
        return float("-inf") if self.age is None else self._clock() - self.age

    def _run(self, work: Callable[[sqlite3.Connection], Found]) -> Found | None:
        """Run `work` in a transaction; None when the file fails."""
        with self._lock:
            try:
                with self._connect() as connection:
                    return work(connection)
            except sqlite3.OperationalError:  # locked for too long, or the disk is full: may succeed later
                self._disconnect()
            except (sqlite3.Error, OSError):  # not a database, or a damaged one
                self._disconnect()
                with suppress(OSError):
                    self.file.unlink()
        return None

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # Before SQLite creates it with a wider mode, because features are personal data.
            self.file.touch(mode=0o600)
            # `check_same_thread`: the lock lets in one thread at a time.
            self._connection = sqlite3.connect(self.file, timeout=_WAIT_SECONDS, check_same_thread=False)
            self._connection.executescript(_SETUP)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _sound(kept: bytes) -> bytes | None:
    """The content, if its digest matches."""
    digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
    return content if digest == hashlib.sha256(content).digest() else None


def _used(connection: sqlite3.Connection) -> int:
    """Size of the used pages, in bytes."""
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
