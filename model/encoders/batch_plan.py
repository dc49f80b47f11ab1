"""Which waiting entries make the next batch. No thread and no clock: the moment is given, so it can be tested at will.

Entries of one bucket are taken in the order they came, as many as the budget allows. Between buckets the order is by
what runs best, never by arrival, until an entry has waited too long: then its bucket is next, the oldest entry first.
So nobody starves: from then on an entry waits for the entries that are older than itself, and for no other.
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
    """How batches are formed. Costs are in the unit of the encoder's cost function."""

    budget: float  # of a batch; an entry that costs more makes a batch of its own
    max_wait: float = 10.0  # seconds: whoever has waited longer is next
    linger: float = 0.0  # seconds that a batch with room to spare is held back for others to join
    max_waiting_cost: float = float("inf")  # cost of all that waits; beyond it whoever submits has to wait
    submit_timeout: float = 600.0  # seconds that one who submits waits for room


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit(Generic[Material]):
    """One row of a batch: a window of a waveform, or of a text."""

    material: Material
    used: int  # its own samples, or tokens
    bucket: int  # the samples, or tokens, it is padded to: those of all its batch mates too
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueuedUnit(Generic[Material, Owner]):
    """A unit that waits, and whom its features belong to."""

    unit: Unit[Material]
    owner: Owner
    row: int  # of the owner's features
    arrived: float  # seconds on the batcher's clock


def cost_of(entries: Iterable[QueuedUnit[Material, Owner]]) -> float:
    """Of all of them together."""
    return sum((entry.unit.cost for entry in entries), 0.0)


class BatchQueue(Generic[Material, Owner]):
    """Entries by bucket. Used under the lock of whoever owns it."""

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
        """Of all that waits."""
        return self._cost

    def age(self, now: float) -> float:
        """Seconds that the oldest entry has waited; 0 when there is none."""
        return now - min((line[0].arrived for line in self._lines.values()), default=now)

    def has_room(self, cost: float) -> bool:
        """Whether so much more may wait; always when nothing does, or it could never come in."""
        return self._count == 0 or self._cost + cost <= self._rules.max_waiting_cost

    def add(self, entries: Sequence[QueuedUnit[Material, Owner]]) -> None:
        """Let entries wait, each behind those of its bucket."""
        for entry in entries:
            self._lines.setdefault(entry.unit.bucket, deque()).append(entry)
        self._changed(len(entries), cost_of(entries))

    def drop(self, owner: Owner) -> int:
        """Remove what belongs to an owner; returns how many entries that were."""
        dropped = [entry for entry in self if entry.owner is owner]
        for bucket in {entry.unit.bucket for entry in dropped}:
            kept = deque(entry for entry in self._lines.pop(bucket) if entry.owner is not owner)
            if kept:
                self._lines[bucket] = kept
        self._changed(-len(dropped), -cost_of(dropped))
        return len(dropped)

    def take(self, now: float) -> tuple[QueuedUnit[Material, Owner], ...]:
        """Remove and return the next batch, all of one bucket; empty when it is better to wait, or nothing waits."""
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
        """Seconds until `take` gives a batch that it holds back at this moment; None when nothing waits."""
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
        """How many entries of a line the next batch takes: as many as the budget allows, and at least one."""
        cost = 0.0
        for position, entry in enumerate(line):
            cost += entry.unit.cost
            if position and cost > self._rules.budget:
                return position
        return len(line)

    def _is_full(self, line: deque[QueuedUnit[Material, Owner]]) -> bool:
        """Whether one more like the last would not fit."""
        return self._fitting(line) < len(line) or self._cost_of_batch(line) + line[-1].unit.cost > self._rules.budget

    def _cost_of_batch(self, line: deque[QueuedUnit[Material, Owner]]) -> float:
        return cost_of(islice(line, self._fitting(line)))

    def _changed(self, count: int, cost: float) -> None:
        self._count += count
        # Sums of floats drift; whenever nothing waits they begin anew.
        self._cost = self._cost + cost if self._count else 0.0
