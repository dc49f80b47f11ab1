"""Where everybody stands in the queue and when they will be done, read at most about once a second by each process."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from time import monotonic

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.admission.simulation import PendingAssessment, SlotPool, added_wait, claim_order, finish_times, slot_pools
from service.admission.throughput import Throughput, measure_throughput
from service.assessments.states import FINAL_STATES, Assessment, Priority, StageKind, StageState, State
from service.storage.database import Database, now
from service.storage.tables import AssessmentRow, ReservationRow, StageRow
from service.worker_registry import live_workers

SNAPSHOT_TTL_SECONDS = 1.0
MAX_TIME_SHARE = 0.05
"""A long queue is read less often, so that reading it takes no more than this of a processor's time."""
MIN_ETA_SECONDS = 0.1
DEFAULT_POLL_SECONDS = 2
MAX_POLL_SECONDS = 60
POLL_JITTER = 0.2
RANDOM = random.SystemRandom()
Clock = Callable[[], float]
"""Seconds since some moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """How many are ahead in the lane, 0 for what is being worked on; and seconds until the end, where known."""

    position: int | None = None
    eta_seconds: float | None = None


def poll_after_seconds(queue_position: QueuePosition) -> int:
    """Whole seconds after which it makes sense to ask again: soon after the expected end, not all at once."""
    if queue_position.eta_seconds is None:
        return DEFAULT_POLL_SECONDS
    later = queue_position.eta_seconds * RANDOM.uniform(1.0, 1.0 + POLL_JITTER)
    return min(MAX_POLL_SECONDS, max(1, ceil(later)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedPosition:
    """A queue_position at the moment of the snapshot."""

    position: int
    finish: float | None


@dataclass(slots=True, kw_only=True)
class LaneSummary:
    """A lane as a whole: how many are open, and in how many seconds all of them will be done."""

    depth: int = 0
    wait: float | None = None
    tenants: dict[str, list[float]] = field(default_factory=dict)
    """For each tenant when its assessments will be done; 0 where nothing is known."""


@dataclass(slots=True, kw_only=True)
class PositionSnapshot:
    """The queue at one moment.

    `age` tells how many seconds ago that was, `promised` how many places were promised to clients that are to come
    back, and `idle` for how many seconds ready stages have been waiting in vain.
    """

    age: Clock
    places: dict[str, EstimatedPosition]
    lanes: dict[Priority, LaneSummary]
    pace: Throughput | None
    pools: Mapping[StageKind, SlotPool] | None
    promised: int
    idle: float

    def each(self, seconds: float | None = None) -> float | None:
        """By how many seconds a recording of this length, else of the usual one, makes all behind it wait longer."""
        return None if self.pace is None or self.pools is None else added_wait(self.pace, self.pools, seconds)

    def add(self, assessment: Assessment, tenant: str) -> None:
        """Count one that has come since, as the last of its lane."""
        if assessment.id in self.places:
            return
        line = self.lanes[assessment.priority]
        place = self.last(assessment)
        self.places[assessment.id] = place
        line.depth += 1
        line.tenants.setdefault(tenant, []).append(place.finish or 0.0)
        if place.finish is not None:
            line.wait = place.finish

    def last(self, assessment: Assessment) -> EstimatedPosition:
        """The place of an assessment behind all others of its lane."""
        line, each = self.lanes[assessment.priority], self.each(assessment.audio_seconds)
        finish = None if line.wait is None or each is None else line.wait + each
        return EstimatedPosition(position=line.depth, finish=finish)


class QueuePositions:
    """The present snapshot of one process; made for many threads."""

    def __init__(self, database: Database, worker_timeout: timedelta, clock: Clock = monotonic) -> None:
        self._database = database
        self._worker_timeout = worker_timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshot: PositionSnapshot | None = None
        self._fresh_until = 0.0

    def position_of(self, assessment: Assessment) -> QueuePosition:
        """How an assessment stands. Raises SQLAlchemyError when the queue has to be read and cannot be."""
        if assessment.state.final:
            return QueuePosition()
        snapshot = self.snapshot()
        place = snapshot.places.get(assessment.id) or snapshot.last(assessment)
        eta = None if place.finish is None else max(MIN_ETA_SECONDS, place.finish - snapshot.age())
        position = place.position if assessment.state == State.QUEUED else 0
        return QueuePosition(position=position, eta_seconds=None if eta is None else round(eta, 1))

    def add(self, assessment: Assessment, tenant: str) -> None:
        """Count an assessment that this process has just accepted."""
        with self._lock:
            if self._snapshot is not None:
                self._snapshot.add(assessment, tenant)

    def snapshot(self) -> PositionSnapshot:
        """The queue as it was a moment ago. Raises SQLAlchemyError."""
        current = self._snapshot
        if current is not None and self._clock() < self._fresh_until:
            return current
        if not self._lock.acquire(blocking=current is None):
            return current if current is not None else self.snapshot()
        try:
            if self._snapshot is None or self._clock() >= self._fresh_until:
                spent = _stopwatch(self._clock)
                self._snapshot = self._database.read(self._take)
                self._fresh_until = self._clock() + max(SNAPSHOT_TTL_SECONDS, spent() / MAX_TIME_SHARE)
            return self._snapshot
        finally:
            self._lock.release()

    def _take(self, session: Session) -> PositionSnapshot:
        moment, age = now(), _stopwatch(self._clock)
        pace = measure_throughput(session)
        workers = live_workers(session, self._worker_timeout)
        served = {queue for worker in workers for queue in worker.queues}
        promised = session.scalar(
            select(func.count()).select_from(ReservationRow).where(ReservationRow.expires_at > moment)
        )
        return build_snapshot(
            _pending_assessments(session, moment),
            pace,
            slot_pools((worker.queues, worker.slots) for worker in workers),
            age=age,
            promised=promised or 0,
            idle=_idle_seconds(session, pace, served, moment),
        )


def build_snapshot(
    waiting: list[PendingAssessment],
    pace: Throughput | None,
    pools: Mapping[StageKind, SlotPool] | None,
    *,
    age: Clock,
    promised: int,
    idle: float,
) -> PositionSnapshot:
    """Work the queue through."""
    ordered = claim_order(waiting)
    known = pace is not None and pools is not None
    ends = finish_times(ordered, pace, pools) if pace is not None and pools is not None else [None] * len(ordered)
    lanes = {lane: LaneSummary(wait=0.0 if known else None) for lane in Priority}
    places: dict[str, EstimatedPosition] = {}
    for one, finish in zip(ordered, ends, strict=True):
        lane = lanes[one.lane]
        places[one.id] = EstimatedPosition(position=lane.depth, finish=finish)
        lane.depth += 1
        lane.tenants.setdefault(one.tenant, []).append(finish or 0.0)
        if finish is not None:
            lane.wait = max(lane.wait or 0.0, finish)
    return PositionSnapshot(
        age=age,
        places=places,
        lanes=lanes,
        pace=pace,
        pools=pools,
        promised=promised,
        idle=idle,
    )


def _stopwatch(clock: Clock) -> Clock:
    started = clock()
    return lambda: clock() - started


def _pending_assessments(session: Session, moment: datetime) -> list[PendingAssessment]:
    rows = session.execute(
        select(
            AssessmentRow.id,
            AssessmentRow.tenant,
            AssessmentRow.priority,
            AssessmentRow.state,
            AssessmentRow.created_at,
            AssessmentRow.audio_key,
            AssessmentRow.audio_seconds,
            AssessmentRow.segments_done,
            AssessmentRow.segments_total,
        ).where(AssessmentRow.state.in_([state for state in State if state not in FINAL_STATES]))
    ).all()
    spent = _seconds_spent(session, moment)
    return [
        PendingAssessment(
            id=row.id,
            tenant=row.tenant,
            lane=Priority(row.priority),
            state=State(row.state),
            created_at=row.created_at,
            seconds=0.0 if row.audio_key is None else row.audio_seconds,
            left=1 - row.segments_done / row.segments_total if row.segments_total else 1.0,
            spent=spent.get(row.id, 0.0),
        )
        for row in rows
    ]


def _seconds_spent(session: Session, moment: datetime) -> dict[str, float]:
    """Seconds that workers have been at each assessment's present stages."""
    spent: dict[str, float] = {}
    rows = session.execute(
        select(StageRow.assessment_id, StageRow.claimed_at).where(
            StageRow.state == StageState.LEASED, StageRow.lease_until > moment
        )
    ).all()
    for row in rows:
        if row.claimed_at is not None:
            seconds = max(0.0, (moment - row.claimed_at).total_seconds())
            spent[row.assessment_id] = spent.get(row.assessment_id, 0.0) + seconds
    return spent


def _idle_seconds(session: Session, pace: Throughput | None, served: set[str], moment: datetime) -> float:
    """Seconds for which ready routine stages have waited in vain; 0 where none does.

    In vain: nobody serves their kind, or nobody is at work and none of any kind was done since.
    """
    rows = session.execute(
        select(StageRow.kind, func.min(StageRow.created_at))
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(
            StageRow.state == StageState.READY,
            AssessmentRow.priority == Priority.ROUTINE,
            StageRow.not_before.is_(None),
        )
        .group_by(StageRow.kind)
    )
    oldest = {kind: created_at for kind, created_at in rows}  # noqa: C416 - a result is no mapping
    since = [created_at for kind, created_at in oldest.items() if kind not in served]
    at_work = select(StageRow.id).where(StageRow.state == StageState.LEASED, StageRow.lease_until > moment)
    if oldest and session.scalar(at_work.limit(1)) is None:
        since.append(max([min(oldest.values()), *([pace.latest] if pace else [])]))
    return max((max(0.0, (moment - begin).total_seconds()) for begin in since), default=0.0)
