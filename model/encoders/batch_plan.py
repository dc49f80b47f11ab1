"""The choice of the next batch among queued units. It has no thread and no clock, so that tests can pass any time.

Units of one bucket are taken in order of arrival, as many as the budget allows. The next bucket is the one with the
fullest batch, until a unit has waited longer than `max_wait`: then the bucket of the oldest unit is next. From then on
a unit waits only for older units, so no unit starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

Material = TypeVar("Material")
Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """Rules for batches. Costs are in the unit of the encoder: padded samples or padded tokens."""

    budget: float  # maximum cost of a batch; a unit that costs more is a batch of its own
    max_wait: float = 10.0  # seconds after which the oldest unit comes first
    linger: float = 0.0  # seconds that a batch with free budget waits for more units
    max_waiting_cost: float = float("inf")  # maximum cost of all queued units; above it, submitting blocks
    submit_timeout: float = 600.0  # seconds that submitting blocks before EncoderBusy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit(Generic[Material]):
    """One row of a batch: a window of a waveform, or of a text."""

    material: Material
    used: int  # samples or tokens without padding
    bucket: int  # samples or tokens with padding; the same for all units of a batch
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueuedUnit(Generic[Material, Owner]):
    """A queued unit, and the owner of its features."""

    unit: Unit[Material]
    owner: Owner
    row: int  # row in the features of the owner
    arrived: float  # seconds on the batcher's clock


def cost_of(entries: Iterable[QueuedUnit[Material, Owner]]) -> float:
    """The total cost of units."""
    return sum((entry.unit.cost for entry in entries), 0.0)


class BatchQueue(Generic[Material, Owner]):
    """Queued units by bucket. The caller holds the lock."""

    def __init__(self, rules: BatchRules) -> None:
        self._rules = rules
        self._lines: dict[int, deque[QueuedUnit[Material, Owner]]] = {}
        self._count = 0
        self._cost = 0.0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[QueuedUnit[Material, Owner]]:
        for line in self._lines.values():
            yield from line

    @property
    def cost(self) -> float:
        """The total cost of all queued units."""
        return self._cost

    def age(self, now: float) -> float:
        """Seconds that the oldest unit has waited; 0 when the queue is empty."""
        return now - min((line[0].arrived for line in self._lines.values()), default=now)

    def has_room(self, cost: float) -> bool:
        """Whether units of this cost may be queued. An empty queue accepts every cost."""
        return self._count == 0 or self._cost + cost <= self._rules.max_waiting_cost

    def add(self, entries: Sequence[QueuedUnit[Material, Owner]]) -> None:
        """Queue units, each at the end of its bucket."""
        for entry in entries:
            self._lines.setdefault(entry.unit.bucket, deque()).append(entry)
        self._changed(len(entries), cost_of(entries))

    def drop(self, owner: Owner) -> int:
        """Remove all units of an owner; returns their number."""
        dropped = [entry for entry in self if entry.owner is owner]
        for bucket in {entry.unit.bucket for entry in dropped}:
            kept = deque(entry for entry in self._lines.pop(bucket) if entry.owner is not owner)
            if kept:
                self._lines[bucket] = kept
        self._changed(-len(dropped), -cost_of(dropped))
        return len(dropped)

    def take(self, now: float) -> tuple[QueuedUnit[Material, Owner], ...]:
        """Remove and return the next batch, all of one bucket; empty when it should wait for more units."""
        bucket = self._next_bucket(now)
        if bucket is None:
            return ()
        line = self._lines[bucket]
        batch = tuple(line.popleft() for _ in range(self._fitting(line)))
        if not line:
            del self._lines[bucket]
        self._changed(-len(batch), -cost_of(batch))
        return batch

    def ready_in(self, now: float) -> float | None:
        """Seconds until `take` returns the batch that now waits for more units; None when the queue is empty."""
        if not self._count:
            return None
        return max(0.0, min(self._rules.linger, self._rules.max_wait) - self.age(now))

    def _next_bucket(self, now: float) -> int | None:
        if not self._lines:
            return None
        age = self.age(now)
        if age >= self._rules.max_wait:
            return min(self._lines, key=lambda bucket: self._lines[bucket][0].arrived)
        full = [bucket for bucket, line in self._lines.items() if self._is_full(line)]
        if full:
            return max(full)
        if age < self._rules.linger:
            return None
        return max(self._lines, key=lambda bucket: (self._cost_of_batch(self._lines[bucket]), bucket))

    def _fitting(self, line: deque[QueuedUnit[Material, Owner]]) -> int:
        """Number of units of a bucket in the next batch: as many as the budget allows, at least one."""
        cost = 0.0
        for position, entry in enumerate(line):
            cost += entry.unit.cost
            if position and cost > self._rules.budget:
                return position
        return len(line)

    def _is_full(self, line: deque[QueuedUnit[Material, Owner]]) -> bool:
        """Whether another unit like the last one would exceed the budget."""
        return self._fitting(line) < len(line) or self._cost_of_batch(line) + line[-1].unit.cost > self._rules.budget

    def _cost_of_batch(self, line: deque[QueuedUnit[Material, Owner]]) -> float:
        return cost_of(islice(line, self._fitting(line)))

    def _changed(self, count: int, cost: float) -> None:
        self._count += count
        # Rounding errors accumulate in a float sum, so it is reset whenever the queue is empty.
        self._cost = self._cost + cost if self._count else 0.0
