"""Queue positions and estimated finish times, from one snapshot that each process reads about once a second at most."""

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
"""Share of the time that a process may spend on snapshots: a long queue, slow to read, is read less often."""
MIN_ETA_SECONDS = 0.1
DEFAULT_POLL_SECONDS = 2
MAX_POLL_SECONDS = 60
POLL_JITTER = 0.2
RANDOM = random.SystemRandom()
Clock = Callable[[], float]
"""Seconds since some fixed moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Assessments of the lane that are ahead, 0 once work has begun; seconds until the end. None where unknown."""

    position: int | None = None
    eta_seconds: float | None = None


def poll_after_seconds(position: QueuePosition) -> int:
    """Whole seconds until a client should ask again: soon after the expected end, with jitter so that polls spread."""
    if position.eta_seconds is None:
        return DEFAULT_POLL_SECONDS
    later = position.eta_seconds * RANDOM.uniform(1.0, 1.0 + POLL_JITTER)
    return min(MAX_POLL_SECONDS, max(1, ceil(later)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedPosition:
    """Position and seconds until the end, as of the moment of the snapshot."""

    position: int
    finish_seconds: float | None


@dataclass(slots=True, kw_only=True)
class LaneSummary:
    """One lane: its pending assessments, and the seconds until all of them have ended, None if unknown."""

    depth: int = 0
    drain_seconds: float | None = None
    finishes_by_tenant: dict[str, list[float]] = field(default_factory=dict)
    """Seconds until each assessment of a tenant ends; 0 where unknown."""


@dataclass(slots=True, kw_only=True)
class PositionSnapshot:
    """The queue at one moment.

    `age` returns the seconds since then. `reserved` counts the reservations of clients that were told to come back,
    and `idle_seconds` is how long ready stages have waited while no worker claimed any.
    """

    age: Clock
    positions: dict[str, EstimatedPosition]
    lanes: dict[Priority, LaneSummary]
    throughput: Throughput | None
    pools: Mapping[StageKind, SlotPool] | None
    reserved: int
    idle_seconds: float

    def seconds_per_assessment(self, audio_seconds: float | None = None) -> float | None:
        """Seconds that a recording of this length, by default the mean, adds to the wait behind it; None if unknown."""
        if self.throughput is None or self.pools is None:
            return None
        return added_wait(self.throughput, self.pools, audio_seconds)

    def append(self, assessment: Assessment, tenant: str) -> None:
        """Add an assessment that was submitted after the snapshot, as the last of its lane."""
        if assessment.id in self.positions:
            return
        lane = self.lanes[assessment.priority]
        last = self.position_at_end(assessment)
        self.positions[assessment.id] = last
        lane.depth += 1
        lane.finishes_by_tenant.setdefault(tenant, []).append(last.finish_seconds or 0.0)
        if last.finish_seconds is not None:
            lane.drain_seconds = last.finish_seconds

    def position_at_end(self, assessment: Assessment) -> EstimatedPosition:
        """The position of an assessment behind all others of its lane."""
        lane, added = self.lanes[assessment.priority], self.seconds_per_assessment(assessment.audio_seconds)
        finish = None if lane.drain_seconds is None or added is None else lane.drain_seconds + added
        return EstimatedPosition(position=lane.depth, finish_seconds=finish)


class QueuePositions:
    """The latest snapshot of one process; thread-safe."""

    def __init__(self, database: Database, worker_timeout: timedelta, clock: Clock = monotonic) -> None:
        self._database = database
        self._worker_timeout = worker_timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshot: PositionSnapshot | None = None
        self._fresh_until = 0.0

    def position_of(self, assessment: Assessment) -> QueuePosition:
        """The position of an assessment. Raises SQLAlchemyError when a new snapshot is needed and cannot be read."""
        if assessment.state.final:
            return QueuePosition()
        snapshot = self.snapshot()
        estimate = snapshot.positions.get(assessment.id) or snapshot.position_at_end(assessment)
        if estimate.finish_seconds is None:
            eta = None
        else:
            eta = round(max(MIN_ETA_SECONDS, estimate.finish_seconds - snapshot.age()), 1)
        return QueuePosition(position=estimate.position if assessment.state == State.QUEUED else 0, eta_seconds=eta)

    def add(self, assessment: Assessment, tenant: str) -> None:
        """Add an assessment that this process has just accepted, so that the next one is placed behind it."""
        with self._lock:
            if self._snapshot is not None:
                self._snapshot.append(assessment, tenant)

    def snapshot(self) -> PositionSnapshot:
        """The latest snapshot, read anew when it is too old. Raises SQLAlchemyError."""
        current = self._snapshot
        if current is not None and self._clock() < self._fresh_until:
            return current
        # One thread reads; the others go on with the old snapshot and wait only while there is none at all.
        if not self._lock.acquire(blocking=current is None):
            return current if current is not None else self.snapshot()
        try:
            if self._snapshot is None or self._clock() >= self._fresh_until:
                elapsed = _stopwatch(self._clock)
                self._snapshot = self._database.read(self._read)
                self._fresh_until = self._clock() + max(SNAPSHOT_TTL_SECONDS, elapsed() / MAX_TIME_SHARE)
            return self._snapshot
        finally:
            self._lock.release()

    def _read(self, session: Session) -> PositionSnapshot:
        moment, age = now(), _stopwatch(self._clock)
        throughput = measure_throughput(session)
        workers = live_workers(session, self._worker_timeout)
        served = {queue for worker in workers for queue in worker.queues}
        reserved = session.scalar(
            select(func.count()).select_from(ReservationRow).where(ReservationRow.expires_at > moment)
        )
        return build_snapshot(
            _pending_assessments(session, moment),
            throughput,
            slot_pools((worker.queues, worker.slots) for worker in workers),
            age=age,
            reserved=reserved or 0,
            idle_seconds=_idle_seconds(session, throughput, served, moment),
        )


def build_snapshot(
    pending: list[PendingAssessment],
    throughput: Throughput | None,
    pools: Mapping[StageKind, SlotPool] | None,
    *,
    age: Clock,
    reserved: int,
    idle_seconds: float,
) -> PositionSnapshot:
    """Simulate the queue; without a throughput or without workers, positions are known and finish times are not."""
    ordered = claim_order(pending)
    finishes: list[float] | list[None] = [None] * len(ordered)
    lanes = {lane: LaneSummary() for lane in Priority}
    if throughput is not None and pools is not None:
        finishes = finish_times(ordered, throughput, pools)
        lanes = {lane: LaneSummary(drain_seconds=0.0) for lane in Priority}
    positions: dict[str, EstimatedPosition] = {}
    for assessment, finish in zip(ordered, finishes, strict=True):
        lane = lanes[assessment.lane]
        positions[assessment.id] = EstimatedPosition(position=lane.depth, finish_seconds=finish)
        lane.depth += 1
        lane.finishes_by_tenant.setdefault(assessment.tenant, []).append(finish or 0.0)
        if finish is not None:
            lane.drain_seconds = max(lane.drain_seconds or 0.0, finish)
    return PositionSnapshot(
        age=age,
        positions=positions,
        lanes=lanes,
        throughput=throughput,
        pools=pools,
        reserved=reserved,
        idle_seconds=idle_seconds,
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
            # A transcript alone has no sound; None would count as a recording of the mean length.
            audio_seconds=0.0 if row.audio_key is None else row.audio_seconds,
            encode_left=1 - row.segments_done / row.segments_total if row.segments_total else 1.0,
            seconds_spent=spent.get(row.id, 0.0),
        )
        for row in rows
    ]


def _seconds_spent(session: Session, moment: datetime) -> dict[str, float]:
    """Seconds that workers have spent so far on the stages in progress, by assessment."""
    spent: dict[str, float] = {}
    # An expired lease belongs to a worker that is gone, and its stage will begin anew.
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


def _idle_seconds(session: Session, throughput: Throughput | None, served: set[str], moment: datetime) -> float:
    """How long ready routine stages have waited without any progress, in seconds; 0 when there are none.

    Stages wait without progress when no live worker serves their queue, or when no stage is being worked on. In the
    second case the wait counts from the last completed stage of any kind: workers may just be between two stages.
    """
    rows = session.execute(
        select(StageRow.kind, func.min(StageRow.created_at))
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(
            StageRow.state == StageState.READY,
            AssessmentRow.priority == Priority.ROUTINE,
            # A stage that is retried waits on purpose, so its age says nothing about the workers.
            StageRow.not_before.is_(None),
        )
        .group_by(StageRow.kind)
    )
    oldest = {kind: created_at for kind, created_at in rows}  # noqa: C416 - a result is no mapping
    since = [created_at for kind, created_at in oldest.items() if kind not in served]
    at_work = select(StageRow.id).where(StageRow.state == StageState.LEASED, StageRow.lease_until > moment)
    if oldest and session.scalar(at_work.limit(1)) is None:
        since.append(max([min(oldest.values()), *([throughput.last_finished_at] if throughput else [])]))
    return max((max(0.0, (moment - begin).total_seconds()) for begin in since), default=0.0)
