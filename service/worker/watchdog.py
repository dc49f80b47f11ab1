"""The watchdog of a worker process: it ends the process when a stage runs too long or the Celery consumer stalls.

Python cannot end a thread from outside, and a consumer can stop receiving messages without raising an error. So the
watchdog ends the whole process. The supervisor or container runtime restarts it, and other workers claim its stages
when their leases expire, as after a crash.
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
from service.periodic_thread import PeriodicThread

log = structlog.stdlib.get_logger(__name__)
CHECKS_PER_TIMEOUT = 10
MAX_INTERVAL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogLimits:
    """`stage_timeout` bounds the run of one stage, `stall_timeout` how long an idle worker may leave work waiting."""

    stage_timeout: timedelta
    stall_timeout: timedelta


class Watchdog:
    """Watches one worker process.

    `work_waits` tells whether the broker answers and holds messages that this worker should receive. `end` ends the
    process; `os._exit`, because a normal exit would wait for the very thread that does not come back.
    """

    def __init__(
        self, limits: WatchdogLimits, work_waits: Callable[[], bool], end: Callable[[int], object] = os._exit
    ) -> None:
        self._limits = limits
        self._work_waits = work_waits
        self._end = end
        self._lock = threading.Lock()
        self._started_at: dict[int, float] = {}
        self._last_message = monotonic()
        self._waiting_since: float | None = None
        interval = min(MAX_INTERVAL_SECONDS, limits.stall_timeout.total_seconds() / CHECKS_PER_TIMEOUT)
        self._thread = PeriodicThread("watchdog", self._check, timedelta(seconds=interval))

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, because the worker ends by itself."""
        self._thread.stop()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The block handles a message that this thread has received."""
        own = threading.get_ident()
        with self._lock:
            self._started_at[own] = self._last_message = monotonic()
        try:
            yield
        finally:
            with self._lock:
                # Idle from now on: a worker that was at work is not measured from the message that began it.
                del self._started_at[own]
                self._last_message = monotonic()

    def _check(self) -> bool:
        """End the process if a limit is exceeded; True when it has been ended, which only a fake `end` survives."""
        if self._overdue():
            log.error("worker ends: a stage has exceeded its timeout", limit=self._limits.stage_timeout.total_seconds())
            self._end(os.EX_SOFTWARE)
            return True
        # Work may be published at any moment, so the stall is measured from the check that first saw it waiting.
        self._waiting_since = (self._waiting_since or monotonic()) if self._idle_while_work_waits() else None
        if self._waiting_since is not None and self._stalled(self._waiting_since):
            log.error("worker ends: its consumer has stalled while work waits")
            self._end(os.EX_SOFTWARE)
            return True
        return False

    def _overdue(self) -> bool:
        with self._lock:
            oldest = min(self._started_at.values(), default=None)
        return oldest is not None and monotonic() - oldest > self._limits.stage_timeout.total_seconds()

    def _stalled(self, waiting_since: float) -> bool:
        return monotonic() - max(self._last_message, waiting_since) > self._limits.stall_timeout.total_seconds()

    def _idle_while_work_waits(self) -> bool:
        with self._lock:
            busy = bool(self._started_at)
        try:
            return not busy and self._work_waits()
        except Exception as error:  # a database that does not answer is no proof of a stall
            log.warning("watchdog check failed", **failure_fields(error))
            return False
