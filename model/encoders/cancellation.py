"""Cancellation of work in other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancellation:
    """A cancellation that fires at most once, from any thread, and stays fired."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether it has fired."""
        return self._cancelled

    def cancel(self) -> None:
        """Fire, and call all listeners in this thread."""
        with self._lock:
            listeners, self._listeners, self._cancelled = self._listeners, [], True
        # Outside the lock, because a listener takes a lock of its own.
        for listener in listeners:
            listener()

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener when the cancellation fires during the block, or at once if it has fired."""
        # Check and registration are one step: a cancellation between them would be missed.
        with self._lock:
            fired = self._cancelled
            if not fired:
                self._listeners.append(listener)
        if fired:
            listener()
        try:
            yield
        finally:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)
