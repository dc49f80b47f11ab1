"""Statistics of a batcher: counts and times, without any of the material."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REMEMBERED_WAITS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingStatistics:
    """Counts since the batcher was made, and the current state of its queue."""

    batches: int  # encoded batches, including retries of single units
    entries: int  # encoded units
    cancelled: int  # units removed before they ran
    failed: int  # units that failed
    used: int  # samples or tokens without padding
    padded: int  # samples or tokens with padding
    fill: float  # mean cost of a batch divided by the budget
    waiting: int  # queued units
    waiting_cost: float
    oldest_age: float  # seconds that the oldest queued unit has waited
    busy_seconds: float  # total run time of the batches
    wait_p50: float  # seconds from arrival to batch, over the last 1024 units
    wait_p95: float

    @property
    def padding(self) -> float:
        """Padded divided by used; 1 means no padding."""
        return self.padded / self.used if self.used else 1.0


class BatchingRecord:
    """The counters of one batcher; the caller holds its lock."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._batches = self._entries = self._cancelled = self._failed = self._used = self._padded = 0
        self._cost = self._busy = 0.0
        self._waits: deque[float] = deque(maxlen=REMEMBERED_WAITS)

    def waited(self, seconds: Sequence[float]) -> None:
        """Record the waiting times of the units of a batch, in seconds."""
        self._waits.extend(seconds)

    def ran(self, *, entries: int, used: int, padded: int, cost: float, seconds: float) -> None:
        """Record an encoded batch."""
        self._batches += 1
        self._entries += entries
        self._used += used
        self._padded += padded
        self._cost += cost
        self._busy += seconds

    def dropped(self, entries: int) -> None:
        """Record units that were removed before they ran."""
        self._cancelled += entries

    def failed(self) -> None:
        """Record a failed unit."""
        self._failed += 1

    def snapshot(self, *, waiting: int, waiting_cost: float, oldest_age: float) -> BatchingStatistics:
        """The current statistics."""
        p50, p95 = np.percentile(self._waits, [50, 95]).tolist() if self._waits else (0.0, 0.0)
        return BatchingStatistics(
            batches=self._batches,
            entries=self._entries,
            cancelled=self._cancelled,
            failed=self._failed,
            used=self._used,
            padded=self._padded,
            fill=self._cost / self._budget / self._batches if self._batches else 0.0,
            waiting=waiting,
            waiting_cost=waiting_cost,
            oldest_age=oldest_age,
            busy_seconds=self._busy,
            wait_p50=p50,
            wait_p95=p95,
        )
