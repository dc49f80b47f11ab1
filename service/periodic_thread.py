"""A background thread that repeats some work until it is stopped: heartbeats, sweeps, lease renewal, cache pruning."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

Delay = Callable[[], float]
"""Seconds until the next run, asked before each wait."""


class PeriodicThread:
    """Calls `work` every `interval`, which is measured from the end of one call to the start of the next.

    `work` returns True to end the thread by itself. An exception in `work` ends the thread too, so work that must go on
    catches its own errors. The thread is a daemon: it never keeps a process alive that has nothing else to do.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        interval: timedelta | Delay,
        *,
        run_at_start: bool = False,
        join_timeout: timedelta | None = None,
    ) -> None:
        self._work = work
        self._delay = interval.total_seconds if isinstance(interval, timedelta) else interval
        self._run_at_start = run_at_start
        self._join_timeout = None if join_timeout is None else join_timeout.total_seconds()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; a second call changes nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def wake(self) -> None:
        """Run the work now instead of at the end of the interval; returns at once."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread and wait for it, at most `join_timeout`; a thread that never started is left alone."""
        # The flag first: the thread reads it after it wakes.
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(self._join_timeout)

    def _run(self) -> None:
        if self._run_at_start and (self._stopping or self._work() is True):
            return
        while self._wait():
            if self._work() is True:
                return

    def _wait(self) -> bool:
        """Wait for the next run; False when the thread has been stopped."""
        self._wake.wait(self._delay())
        # Cleared before the work, so that a wake-up during the work is not lost.
        self._wake.clear()
        return not self._stopping
