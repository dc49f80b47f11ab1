"""Deletes what has outlived its time, also while nothing else happens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from service.settings import Settings

PRUNES_PER_TTL = 10  # times in the life of an entry
MAX_INTERVAL_SECONDS = 60.0  # seconds


def delete_unused_cache(settings: Settings) -> None:
    """Where no features are to be kept, delete those that an earlier worker kept."""
    if not settings.feature_cache_mb:
        settings.feature_cache.unlink(missing_ok=True)


class CachePruner:
    """Calls `prune` at least once a minute, and ten times in `age` seconds, from a thread of its own."""

    def __init__(self, prune: Callable[[], None], age: float | None) -> None:
        self._prune = prune
        self._pause = MAX_INTERVAL_SECONDS if age is None else min(MAX_INTERVAL_SECONDS, age / PRUNES_PER_TTL)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; a second start changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._pause):
            self._prune()
