"""When each open assessment will be done: the queue worked through on paper, in the order in which workers take it."""

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
FIRST_OPEN_STAGE = {State.QUEUED: 0, State.PREPARING: 0, State.ENCODING: 1, State.SCORING: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAssessment:
    """An assessment that has not ended; `seconds` of sound, None when nobody knows, `spent` on stages under way."""

    id: str
    tenant: str
    lane: Priority
    state: State
    created_at: datetime
    seconds: float | None
    left: float = 1.0
    spent: float = 0.0

    @property
    def begun(self) -> bool:
        """Whether a worker has taken it up."""
        return self.state != State.QUEUED


@dataclass(slots=True, kw_only=True, eq=False)
class SlotPool:
    """Slots that serve the same kinds of stages; `work` is how many seconds of their time are given away."""

    slots: int
    work: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageGroup:
    """The stages of one kind that an assessment still needs; `each` takes so many seconds."""

    kind: StageKind
    stages: int
    each: float


def claim_order(waiting: Iterable[PendingAssessment]) -> list[PendingAssessment]:
    """Routine before batch, what has begun before what has not, tenants in turn, then the oldest."""
    turns: dict[tuple[Priority, str], int] = {}
    keyed = []
    for one in sorted(waiting, key=lambda one: (one.created_at, one.id)):
        turn = 0
        if not one.begun:
            turn = turns.get((one.lane, one.tenant), 0) + 1
            turns[one.lane, one.tenant] = turn
        keyed.append((one.lane != Priority.ROUTINE, turn, one.created_at, one.id, one))
    return [entry[-1] for entry in sorted(keyed, key=lambda entry: entry[:-1])]


def slot_pools(workers: Iterable[tuple[Sequence[str], int]]) -> dict[StageKind, SlotPool] | None:
    """The pool that serves each kind; kinds that a worker serves together share one. None where a kind has no slot."""
    pools: dict[StageKind, SlotPool] = {}
    for queues, slots in workers:
        kinds = [kind for kind in STAGE_ORDER if kind in queues]
        met = {pools[kind] for kind in kinds if kind in pools}
        joined = SlotPool(slots=slots + sum(pool.slots for pool in met))
        for kind in STAGE_ORDER:
            if kind in kinds or pools.get(kind) in met:
                pools[kind] = joined
    return pools if len(pools) == len(STAGE_ORDER) else None


def remaining_stages(one: PendingAssessment, pace: Throughput) -> list[StageGroup]:
    """What an assessment still asks for."""
    seconds = pace.seconds if one.seconds is None else one.seconds
    found: list[StageGroup] = []
    for kind in STAGE_ORDER[FIRST_OPEN_STAGE[one.state] :]:
        left = seconds * one.left if kind == StageKind.ENCODE else seconds
        stages = ceil(pace.chunks(left)) if kind == StageKind.ENCODE else 1
        work = pace.costs[kind].of(left, stages)
        if not found:
            work = max(0.0, work - one.spent)
        found.append(StageGroup(kind=kind, stages=stages, each=work / stages))
    return found


def finish_times(
    ordered: Sequence[PendingAssessment], pace: Throughput, pools: Mapping[StageKind, SlotPool]
) -> list[float]:
    """Seconds until each is done, in the order given. The pools keep what they were given.

    Those about to be served are worked through stage by stage; behind them, where that makes no difference any more,
    work is a fluid that all slots of a pool share.
    """
    needed = [remaining_stages(one, pace) for one in ordered]
    fluid = [_fluid_finish(own, pools) for own in needed]
    near = _count_simulated(needed)
    exact = QueueSimulation(ordered[:near], needed[:near], pools).run()
    return [*exact, *fluid[near:]]


def added_wait(pace: Throughput, pools: Mapping[StageKind, SlotPool], seconds: float | None = None) -> float:
    """Seconds by which a recording of this length, else of the usual one, makes everybody after it wait longer."""
    length = pace.seconds if seconds is None else seconds
    by_pool: dict[SlotPool, float] = {}
    for kind in STAGE_ORDER:
        pool = pools[kind]
        work = pace.costs[kind].of(length, pace.chunks(length) if kind == StageKind.ENCODE else 1.0)
        by_pool[pool] = by_pool.get(pool, 0.0) + work / pool.slots
    return max(by_pool.values())


def _fluid_finish(own: Sequence[StageGroup], pools: Mapping[StageKind, SlotPool]) -> float:
    """Seconds until the last step is done; a pool that waits for the step before has nothing else to do."""
    at, met = 0.0, set[SlotPool]()
    for step in own:
        pool = pools[step.kind]
        if pool not in met:
            pool.work = max(pool.work, at * pool.slots)
        pool.work += step.stages * step.each
        at = max(at, pool.work / pool.slots)
        met.add(pool)
    return at


def _count_simulated(needed: Sequence[Sequence[StageGroup]]) -> int:
    """How many assessments have no more than so many stages in all."""
    stages = 0
    for number, own in enumerate(needed):
        stages += sum(step.stages for step in own)
        if stages > MAX_SIMULATED_STAGES:
            return number
    return len(needed)


class QueueSimulation:
    """The stages of the next assessments given to slots one by one, as workers claim them: the latest kind first."""

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
        self._ready: dict[SlotPool, list[tuple[tuple[bool, int, int], int, StageGroup]]] = {
            pool: [] for pool in self._free
        }
        self._open = [0] * len(ordered)
        self._running: list[tuple[float, int, int, SlotPool]] = []
        self._done = [0.0] * len(ordered)

    def run(self) -> list[float]:
        """Seconds until each is done."""
        for number in range(len(self._ordered)):
            self._next_step(number, 0.0)
        self._fill(0.0)
        while self._running:
            at, number, _, pool = heappop(self._running)
            self._free[pool] += 1
            self._open[number] -= 1
            if not self._open[number]:
                self._next_step(number, at)
            self._fill(at)
        return self._done

    def _next_step(self, number: int, at: float) -> None:
        if not self._left[number]:
            self._done[number] = at
            return
        step = self._left[number].pop()
        self._open[number] = step.stages
        heappush(self._ready[self._pools[step.kind]], (self._rank(number, step), step.stages, step))

    def _rank(self, number: int, step: StageGroup) -> tuple[bool, int, int]:
        one = self._ordered[number]
        under_way = one.spent > 0 and step.kind == StageKind.PREPARE
        return one.lane != Priority.ROUTINE, -len(STAGE_ORDER) if under_way else -STAGE_ORDER.index(step.kind), number

    def _fill(self, at: float) -> None:
        for pool, ready in self._ready.items():
            while self._free[pool] and ready:
                rank, stages, step = ready[0]
                number = rank[-1]
                if stages > 1:
                    heapreplace(ready, (rank, stages - 1, step))
                else:
                    heappop(ready)
                self._free[pool] -= 1
                heappush(self._running, (at + step.each, number, stages, pool))
