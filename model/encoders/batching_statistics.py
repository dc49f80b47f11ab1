"""What a batcher has done so far, in numbers; nothing of the material is in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REMEMBERED_WAITS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingStatistics:
    """Counts since the batcher was made, and how it stands at this moment."""

    batches: int  # encoded, those of an entry tried again alone included
    entries: int  # rows encoded
    cancelled: int  # entries dropped before they ran
    failed: int  # entries whose last run failed
    used: int  # samples or tokens of the entries themselves
    padded: int  # the same with their padding
    fill: float  # mean cost of a batch over the budget
    waiting: int  # entries
    waiting_cost: float
    oldest_age: float  # seconds that the oldest waiting entry has waited
    busy_seconds: float  # in which these batches ran
    wait_p50: float  # seconds from an entry's arrival to its batch, of the last 1024
    wait_p95: float

    @property
    def padding(self) -> float:
        """Padded over used; 1 is no padding."""
        return self.padded / self.used if self.used else 1.0


class BatchingRecord:
    """Counts for one batcher, under its lock."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._batches = self._entries = self._cancelled = self._failed = self._used = self._padded = 0
        self._cost = self._busy = 0.0
        self._waits: deque[float] = deque(maxlen=REMEMBERED_WAITS)

    def waited(self, seconds: Sequence[float]) -> None:
        """So long did the entries of a batch wait."""
        self._waits.extend(seconds)

    def ran(self, *, entries: int, used: int, padded: int, cost: float, seconds: float) -> None:
        """A batch was encoded."""
        self._batches += 1
        self._entries += entries
        self._used += used
        self._padded += padded
        self._cost += cost
        self._busy += seconds

    def dropped(self, entries: int) -> None:
        """So many entries left before they ran."""
        self._cancelled += entries

    def failed(self) -> None:
        """An entry is given up."""
        self._failed += 1

    def snapshot(self, *, waiting: int, waiting_cost: float, oldest_age: float) -> BatchingStatistics:
        """The numbers at this moment."""
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
