"""Ends a worker that no longer consumes or never comes back from a stage; whoever supervises it starts it anew.

A thread cannot be ended from outside and a consumer can go deaf without an error, so the whole process goes. What it
had in hand is taken up by another worker, as after any other death.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import structlog

from service.observability.logs import failure_fields

log = structlog.stdlib.get_logger(__name__)
CHECKS_PER_TIMEOUT = 10
MAX_INTERVAL_SECONDS = 5.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogLimits:
    """`stage`: the longest a stage may take; `deaf`: how long work may wait for a worker that has nothing to do."""

    stage_timeout: timedelta
    stall_timeout: timedelta


class Watchdog:
    """Looks after one worker process. `work_waits` says whether a living broker holds messages for it."""

    def __init__(
        self, limits: WatchdogLimits, work_waits: Callable[[], bool], end: Callable[[int], object] = os._exit
    ) -> None:
        self._limits = limits
        self._work_waits = work_waits
        self._end = end
        self._lock = threading.Lock()
        self._begun: dict[int, float] = {}
        self._heard = monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """The worker ends by itself."""
        self._done.set()
        self._thread.join()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """A message was heard and is worked on inside the block."""
        own = threading.get_ident()
        with self._lock:
            self._begun[own] = self._heard = monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[own]
                self._heard = monotonic()

    def _run(self) -> None:
        pause = min(MAX_INTERVAL_SECONDS, self._limits.stall_timeout.total_seconds() / CHECKS_PER_TIMEOUT)
        waiting_since: float | None = None
        while not self._done.wait(pause):
            if self._overdue():
                log.error("a stage takes too long: the worker ends", limit=self._limits.stage_timeout.total_seconds())
                self._end(os.EX_SOFTWARE)
                return
            waiting_since = (waiting_since or monotonic()) if self._idle_beside_work() else None
            if waiting_since is not None and self._stalled(waiting_since):
                log.error("the worker hears no messages though work waits: it ends")
                self._end(os.EX_SOFTWARE)
                return

    def _overdue(self) -> bool:
        with self._lock:
            begun = min(self._begun.values(), default=None)
        return begun is not None and monotonic() - begun > self._limits.stage_timeout.total_seconds()

    def _stalled(self, waiting_since: float) -> bool:
        return monotonic() - max(self._heard, waiting_since) > self._limits.stall_timeout.total_seconds()

    def _idle_beside_work(self) -> bool:
        with self._lock:
            busy = bool(self._begun)
        try:
            return not busy and self._work_waits()
        except Exception as error:  # without an answer nothing is known, so nothing is done
            log.warning("the watchdog could not look", **failure_fields(error))
            return False
