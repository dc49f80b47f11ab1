"""Simulation of the queue: when each pending assessment will finish, in the order in which workers claim stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush, heapreplace
from math import ceil

from service.admission.throughput import Throughput
from service.assessments.states import Priority, StageKind, State

STAGE_ORDER = (StageKind.PREPARE, StageKind.ENCODE, StageKind.SCORE)
MAX_SIMULATED_STAGES = 2_000
"""Stages that are simulated one by one. More of them make a snapshot slower and hardly more accurate."""
FIRST_OPEN_STAGE = {State.QUEUED: 0, State.PREPARING: 0, State.ENCODING: 1, State.SCORING: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAssessment:
    """An assessment that has not ended.

    `audio_seconds` is None when the length is unknown, `encode_left` the share of segments still to be encoded, and
    `seconds_spent` the time that workers have spent so far on the stages in progress.
    """

    id: str
    tenant: str
    lane: Priority
    state: State
    created_at: datetime
    audio_seconds: float | None
    encode_left: float = 1.0
    seconds_spent: float = 0.0

    @property
    def started(self) -> bool:
        """Whether a worker has claimed its first stage."""
        return self.state != State.QUEUED


@dataclass(slots=True, kw_only=True, eq=False)
class SlotPool:
    """Worker slots that serve the same kinds of stages; `busy_seconds` is the slot time already assigned."""

    slots: int
    busy_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageGroup:
    """The remaining stages of one kind of an assessment; they may run in parallel, `seconds_each` on a slot."""

    kind: StageKind
    stages: int
    seconds_each: float


def claim_order(pending: Iterable[PendingAssessment]) -> list[PendingAssessment]:
    """The order in which workers claim: routine before batch, started first, then round robin over tenants, by age.

    `service.queue.ordering` implements this order in SQL.
    """
    turns: dict[tuple[Priority, str], int] = {}
    keyed = []
    for assessment in sorted(pending, key=lambda assessment: (assessment.created_at, assessment.id)):
        turn = 0
        if not assessment.started:
            turn = turns.get((assessment.lane, assessment.tenant), 0) + 1
            turns[assessment.lane, assessment.tenant] = turn
        keyed.append((assessment.lane != Priority.ROUTINE, turn, assessment.created_at, assessment.id, assessment))
    return [entry[-1] for entry in sorted(keyed, key=lambda entry: entry[:-1])]


def slot_pools(workers: Iterable[tuple[Sequence[str], int]]) -> dict[StageKind, SlotPool] | None:
    """The pool of each kind, from the queues and slots of the workers; None when a kind is served by no worker.

    Kinds that one worker serves share a pool, because the worker's slots take stages of all of them.
    """
    pools: dict[StageKind, SlotPool] = {}
    for queues, slots in workers:
        kinds = [kind for kind in STAGE_ORDER if kind in queues]
        met = {pools[kind] for kind in kinds if kind in pools}
        joined = SlotPool(slots=slots + sum(pool.slots for pool in met))
        for kind in STAGE_ORDER:
            if kind in kinds or pools.get(kind) in met:
                pools[kind] = joined
    return pools if len(pools) == len(STAGE_ORDER) else None


def remaining_stages(assessment: PendingAssessment, throughput: Throughput) -> list[StageGroup]:
    """The stages that an assessment still needs, in their order."""
    seconds = throughput.mean_audio_seconds if assessment.audio_seconds is None else assessment.audio_seconds
    groups: list[StageGroup] = []
    for kind in STAGE_ORDER[FIRST_OPEN_STAGE[assessment.state] :]:
        left = seconds * assessment.encode_left if kind == StageKind.ENCODE else seconds
        stages = ceil(throughput.chunks(left)) if kind == StageKind.ENCODE else 1
        work = throughput.stage_costs[kind].seconds_for(left, stages)
        if not groups:
            work = max(0.0, work - assessment.seconds_spent)
        groups.append(StageGroup(kind=kind, stages=stages, seconds_each=work / stages))
    return groups


def finish_times(
    ordered: Sequence[PendingAssessment], throughput: Throughput, pools: Mapping[StageKind, SlotPool]
) -> list[float]:
    """Seconds until each assessment finishes, in the given order. Changes `busy_seconds` of the pools.

    The first `MAX_SIMULATED_STAGES` stages are simulated one by one. Behind them the exact order of single stages makes
    no visible difference, and work is treated as a steady flow that all slots of a pool share.
    """
    needed = [remaining_stages(assessment, throughput) for assessment in ordered]
    # Also of those that are simulated: the flow behind them begins with the slot time that they occupy.
    steady = [_steady_rate_finish(own, pools) for own in needed]
    simulated = _count_simulated(needed)
    exact = QueueSimulation(ordered[:simulated], needed[:simulated], pools).run()
    return [*exact, *steady[simulated:]]


def added_wait(throughput: Throughput, pools: Mapping[StageKind, SlotPool], seconds: float | None = None) -> float:
    """Seconds that a recording of this length, by default the mean one, adds to the wait of everybody behind it.

    That is its slot time over the slots, in the pool where this is largest: the bottleneck paces the queue.
    """
    length = throughput.mean_audio_seconds if seconds is None else seconds
    by_pool: dict[SlotPool, float] = {}
    for kind in STAGE_ORDER:
        pool = pools[kind]
        stages = throughput.chunks(length) if kind == StageKind.ENCODE else 1.0
        work = throughput.stage_costs[kind].seconds_for(length, stages)
        by_pool[pool] = by_pool.get(pool, 0.0) + work / pool.slots
    return max(by_pool.values())


def _steady_rate_finish(own: Sequence[StageGroup], pools: Mapping[StageKind, SlotPool]) -> float:
    """Seconds until the last group is done, with the pools shared as by a steady flow of work."""
    at, met = 0.0, set[SlotPool]()
    for group in own:
        pool = pools[group.kind]
        # A pool cannot begin before the group that precedes this one is done; only its first group can make it wait.
        if pool not in met:
            pool.busy_seconds = max(pool.busy_seconds, at * pool.slots)
        pool.busy_seconds += group.stages * group.seconds_each
        at = max(at, pool.busy_seconds / pool.slots)
        met.add(pool)
    return at


def _count_simulated(needed: Sequence[Sequence[StageGroup]]) -> int:
    """How many of the first assessments have at most `MAX_SIMULATED_STAGES` stages together."""
    stages = 0
    for number, own in enumerate(needed):
        stages += sum(group.stages for group in own)
        if stages > MAX_SIMULATED_STAGES:
            return number
    return len(needed)


class QueueSimulation:
    """An event simulation that assigns stages to slots as workers claim them: by lane, then the latest kind first."""

    def __init__(
        self,
        ordered: Sequence[PendingAssessment],
        needed: Sequence[Sequence[StageGroup]],
        pools: Mapping[StageKind, SlotPool],
    ) -> None:
        self._ordered = ordered
        self._left = [list(reversed(own)) for own in needed]
        self._pools = pools
        self._free = {pool: pool.slots for pool in pools.values()}
        # Heaps of (rank, stages left, group); the number in the rank is unique, so groups are never compared.
        self._ready: dict[SlotPool, list[tuple[tuple[bool, int, int], int, StageGroup]]] = {
            pool: [] for pool in self._free
        }
        self._open = [0] * len(ordered)
        # A heap of (end, assessment number, stages left, pool): the next stage to finish is on top.
        self._running: list[tuple[float, int, int, SlotPool]] = []
        self._done = [0.0] * len(ordered)

    def run(self) -> list[float]:
        """Seconds until each assessment finishes."""
        for number in range(len(self._ordered)):
            self._open_next_group(number, 0.0)
        self._fill_slots(0.0)
        while self._running:
            at, number, _, pool = heappop(self._running)
            self._free[pool] += 1
            self._open[number] -= 1
            if not self._open[number]:
                self._open_next_group(number, at)
            self._fill_slots(at)
        return self._done

    def _open_next_group(self, number: int, at: float) -> None:
        if not self._left[number]:
            self._done[number] = at
            return
        group = self._left[number].pop()
        self._open[number] = group.stages
        heappush(self._ready[self._pools[group.kind]], (self._rank(number, group), group.stages, group))

    def _rank(self, number: int, group: StageGroup) -> tuple[bool, int, int]:
        assessment = self._ordered[number]
        # A prepare stage in progress holds its slot already, so it goes before everything that is only ready.
        in_progress = assessment.seconds_spent > 0 and group.kind == StageKind.PREPARE
        kind = -len(STAGE_ORDER) if in_progress else -STAGE_ORDER.index(group.kind)
        return assessment.lane != Priority.ROUTINE, kind, number

    def _fill_slots(self, at: float) -> None:
        for pool, ready in self._ready.items():
            while self._free[pool] and ready:
                rank, stages, group = ready[0]
                number = rank[-1]
                if stages > 1:
                    heapreplace(ready, (rank, stages - 1, group))
                else:
                    heappop(ready)
                self._free[pool] -= 1
                heappush(self._running, (at + group.seconds_each, number, stages, pool))
