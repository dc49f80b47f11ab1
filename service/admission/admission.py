"""Admission control: which submissions are accepted now, and when refused clients may come back.

A queue that takes longer than anybody wants to wait helps nobody. So routine submissions are refused while the work
ahead of them would take too long. Each refused client gets a reservation: a moment at which there will be room for it,
after the reservations made before, and it is admitted when it comes back then. New clients are admitted only into
capacity that is not reserved.
"""

from __future__ import annotations

import hashlib
import random
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.admission.queue_position import PositionSnapshot, QueuePositions
from service.assessments.states import Priority
from service.auth.caller import Caller
from service.errors.unavailable import Overloaded, TooManyAssessments
from service.observability.metrics import ADMISSION_REFUSED
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.tables import ReservationRow

EARLY_TOLERANCE = timedelta(seconds=1)
"""A request with a key of its own may come this much too early, for clocks and rounding. Requests that share an API key
may not: the first one to come takes the reservation, and this would lengthen the time in which the wrong one can."""
RESERVATION_GRACE = timedelta(seconds=60)
"""How long a reservation is kept after it is due; then its capacity is free again."""
MAX_RESERVATION_DELAY = timedelta(hours=1)
"""Nothing is reserved further ahead than this: the estimate would be worthless by then."""
MAX_RESERVATIONS_PER_KEY = 1_000
RETRY_JITTER = 0.1
"""Share of a delay that jitter may add, so that refused clients do not come back together."""
RANDOM = random.SystemRandom()
MAX_JITTER_SECONDS = 20.0
MIN_IDLE_SECONDS = 60.0
IDLE_STAGE_DURATIONS = 10.0
"""Workers count as stalled when ready stages have waited this many times the longest stage, and `MIN_IDLE_SECONDS`."""
IDLE_RETRY_AFTER_SECONDS = 60
DEFAULT_SECONDS_PER_ASSESSMENT = 1.0
"""Used to space reservations until stages have been measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of the queue: longest wait, most assessments of a lane, most of a tenant; 0 leaves tenants unbounded."""

    max_wait: timedelta
    max_depth: int
    tenant_share: int


def admission_limits(settings: Settings) -> AdmissionLimits:
    """The limits from the settings."""
    return AdmissionLimits(
        max_wait=settings.max_queue_wait, max_depth=settings.max_queue_depth, tenant_share=settings.tenant_max_pending
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who submits: identified by the Idempotency-Key of the request, or without one by the API key."""

    caller: Caller
    request_key: str | None = None

    @property
    def identity(self) -> str:
        """A digest of the identifying key: clients may put personal data into an Idempotency-Key."""
        named = f"key {self.caller.key_id}" if self.request_key is None else f"request {self.request_key}"
        return hashlib.sha256(named.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Capacity for one submission, from `due_at` on."""

    tenant: str
    identity: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionGrant:
    """The right to submit once, and the reservation that was redeemed for it, if any."""

    reservation: Reservation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionDelay:
    """Seconds until there is room, 0 or less for room now; `by_share` when the tenant's own share is what is full."""

    seconds: float
    by_share: bool


class AdmissionController:
    """Admission control of one API process; thread-safe."""

    def __init__(self, database: Database, queue_positions: QueuePositions, limits: AdmissionLimits) -> None:
        self._database = database
        self._queue_positions = queue_positions
        self._limits = limits
        self._lock = threading.Lock()
        self._in_progress: dict[str, int] = {}

    @property
    def in_progress(self) -> int:
        """Submissions that were admitted and are not released yet."""
        with self._lock:
            return sum(self._in_progress.values())

    def admit(self, requester: Requester, lane: Priority) -> AdmissionGrant:
        """Admit a submission; it has to be released afterwards. Raises Overloaded, TooManyAssessments."""
        snapshot = self._queue_positions.snapshot()
        if lane == Priority.BATCH:
            self._refuse_full_batch_lane(snapshot)
            grant = AdmissionGrant()
        else:
            _refuse_without_workers(snapshot)
            # The usual case needs no transaction: there is room, and no reservation to respect or redeem.
            has_room = not snapshot.reserved and self._delay(snapshot, requester.caller.tenant, 0, 0).seconds <= 0
            grant = AdmissionGrant() if has_room else self._decide(snapshot, requester)
        self._change_in_progress(requester.caller.tenant, 1)
        return grant

    def release(self, requester: Requester, grant: AdmissionGrant, *, accepted: bool) -> None:
        """End an admitted submission; a redeemed reservation is restored when the submission was not accepted."""
        self._change_in_progress(requester.caller.tenant, -1)
        if accepted or grant.reservation is None:
            return
        reservation, expires_at = grant.reservation, now() + RESERVATION_GRACE
        self._database.write(lambda session: session.add(_reservation_row(reservation, expires_at)))

    def _refuse_full_batch_lane(self, snapshot: PositionSnapshot) -> None:
        # The batch lane is bounded by number alone, and without reservations (decision 0029).
        depth = snapshot.lanes[Priority.BATCH].depth
        if depth >= self._limits.max_depth:
            ADMISSION_REFUSED.labels(reason="lane_full").inc()
            seconds_each = snapshot.seconds_per_assessment() or DEFAULT_SECONDS_PER_ASSESSMENT
            seconds = (depth - self._limits.max_depth + 1) * seconds_each
            raise Overloaded("The batch lane is full.", retry_after=_with_jitter(seconds))

    def _decide(self, snapshot: PositionSnapshot, requester: Requester) -> AdmissionGrant:
        # The transaction returns the refusal instead of raising it: an exception would roll its reservation back.
        decision = self._database.write(partial(self._decide_in, snapshot, requester))
        if isinstance(decision, AdmissionGrant):
            return decision
        too_many = isinstance(decision, TooManyAssessments)
        ADMISSION_REFUSED.labels(reason="share_used" if too_many else "queue_long").inc()
        raise decision

    def _decide_in(
        self, snapshot: PositionSnapshot, requester: Requester, session: Session
    ) -> AdmissionGrant | Overloaded | TooManyAssessments:
        """Redeem a reservation that is due, or take free capacity, or refuse and make a reservation."""
        tenant, identity, moment = requester.caller.tenant, requester.identity, now()
        early = EARLY_TOLERANCE if requester.request_key is not None else timedelta(0)
        if (due := _redeem(session, tenant, identity, moment, early)) is not None:
            return AdmissionGrant(reservation=due)
        held = _reserved_for_requester(session, tenant, identity)
        # The same request has come too early: it keeps its reservation instead of getting a later one.
        if held and requester.request_key is not None:
            return _refusal(ceil((held[0] - moment).total_seconds()), by_share=False)
        reserved, own = _count_reservations(session, tenant, moment)
        delay = self._delay(snapshot, tenant, reserved, own)
        if delay.seconds <= 0:
            return AdmissionGrant()
        # The reservation is due at the very moment that the client is told: requests that share an API key cannot be
        # told apart, and the first one to come has it (decision 0029).
        seconds = _with_jitter(min(delay.seconds, MAX_RESERVATION_DELAY.total_seconds()))
        if self._may_reserve(delay, reserved, len(held)):
            due_at = moment + timedelta(seconds=seconds)
            reservation = Reservation(tenant=tenant, identity=identity, due_at=due_at)
            session.add(_reservation_row(reservation, due_at + RESERVATION_GRACE))
        return _refusal(seconds, by_share=delay.by_share)

    def _may_reserve(self, delay: AdmissionDelay, reserved: int, held: int) -> bool:
        near = delay.seconds <= MAX_RESERVATION_DELAY.total_seconds()
        return near and reserved < self._limits.max_depth and held < MAX_RESERVATIONS_PER_KEY

    def _delay(self, snapshot: PositionSnapshot, tenant: str, reserved: int, own: int) -> AdmissionDelay:
        """Delay of one more submission behind `reserved` reservations, `own` of them of the same tenant.

        The delay is the longest of those by the depth of the lane, its wait, and the tenant's share. Submissions in
        progress count like reservations: they are admitted and not in the snapshot yet.
        """
        lane, known = snapshot.lanes[Priority.ROUTINE], snapshot.seconds_per_assessment()
        seconds_each = known or DEFAULT_SECONDS_PER_ASSESSMENT
        in_progress, own_in_progress = self._counts_in_progress(tenant)
        ahead = reserved + in_progress + 1
        by_depth = (lane.depth + ahead - self._limits.max_depth) * seconds_each
        # The queue has gone on draining since the snapshot.
        wait = max(0.0, (lane.drain_seconds or 0.0) - snapshot.age())
        # Until stages were measured the wait is unknown, and an unknown wait refuses nobody.
        by_wait = wait + ahead * seconds_each - self._limits.max_wait.total_seconds() if known else 0.0
        seconds = max(by_depth, by_wait)
        # The tenant's own ends tell when its share has room again, so this refusal carries a reservation like others.
        finishes = lane.finishes_by_tenant.get(tenant, [])
        too_many = len(finishes) + own + own_in_progress + 1 - self._limits.tenant_share
        if not self._limits.tenant_share or too_many <= 0:
            return AdmissionDelay(seconds=seconds, by_share=False)
        nth = _finish_of_nth(sorted(finishes), too_many, seconds_each)
        by_share = max(0.0, nth - snapshot.age()) + seconds_each
        return AdmissionDelay(seconds=max(seconds, by_share), by_share=by_share >= seconds)

    def _change_in_progress(self, tenant: str, change: int) -> None:
        with self._lock:
            self._in_progress[tenant] = self._in_progress.get(tenant, 0) + change
            if not self._in_progress[tenant]:
                del self._in_progress[tenant]

    def _counts_in_progress(self, tenant: str) -> tuple[int, int]:
        """Submissions in progress: of all tenants, and of this one."""
        with self._lock:
            return sum(self._in_progress.values()), self._in_progress.get(tenant, 0)


def _refuse_without_workers(snapshot: PositionSnapshot) -> None:
    """Refuse while ready stages have waited far longer than a stage takes and no worker has claimed one."""
    longest = 0.0 if snapshot.throughput is None else snapshot.throughput.longest_stage_seconds
    if snapshot.idle_seconds > max(MIN_IDLE_SECONDS, IDLE_STAGE_DURATIONS * longest):
        ADMISSION_REFUSED.labels(reason="nobody_works").inc()
        raise Overloaded(
            f"No worker has claimed a stage for {snapshot.idle_seconds:.0f} seconds.",
            retry_after=_with_jitter(IDLE_RETRY_AFTER_SECONDS),
        )


def _refusal(seconds: int, *, by_share: bool) -> Overloaded | TooManyAssessments:
    if by_share:
        return TooManyAssessments("The tenant already has its share of the queue.", retry_after=max(1, seconds))
    return Overloaded("The queue is full.", retry_after=max(1, seconds))


def _with_jitter(seconds: float) -> int:
    """Whole seconds, at least these, and a little more at random."""
    return max(1, ceil(seconds + RANDOM.uniform(0, min(MAX_JITTER_SECONDS, RETRY_JITTER * seconds))))


def _finish_of_nth(finishes: list[float], number: int, seconds_each: float) -> float:
    """Seconds until the tenant's nth assessment ends; beyond the last one, reservations follow at `seconds_each`."""
    if number <= len(finishes):
        return finishes[number - 1]
    return (finishes[-1] if finishes else 0.0) + (number - len(finishes)) * seconds_each


def _redeem(session: Session, tenant: str, identity: str, moment: datetime, early: timedelta) -> Reservation | None:
    """Delete and return the earliest reservation that is due; expired ones of everybody are deleted as well."""
    session.execute(delete(ReservationRow).where(ReservationRow.expires_at <= moment))
    row = session.scalars(
        select(ReservationRow)
        .where(
            ReservationRow.tenant == tenant,
            ReservationRow.identity == identity,
            ReservationRow.due_at <= moment + early,
        )
        .order_by(ReservationRow.due_at)
        .limit(1)
        # Requests that share an API key come at the same time: each takes another reservation instead of waiting.
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    session.delete(row)
    return Reservation(tenant=tenant, identity=identity, due_at=row.due_at)


def _reserved_for_requester(session: Session, tenant: str, identity: str) -> list[datetime]:
    """When the requester's reservations are due, the next one first."""
    return list(
        session.scalars(
            select(ReservationRow.due_at)
            .where(ReservationRow.tenant == tenant, ReservationRow.identity == identity)
            .order_by(ReservationRow.due_at)
        )
    )


def _count_reservations(session: Session, tenant: str, moment: datetime) -> tuple[int, int]:
    """Reservations that have not expired: of all tenants, and of this one."""
    counts = (
        select(ReservationRow.tenant, func.count())
        .where(ReservationRow.expires_at > moment)
        .group_by(ReservationRow.tenant)
    )
    by_tenant = {name: count for name, count in session.execute(counts)}  # noqa: C416 - a result is no mapping
    return sum(by_tenant.values()), by_tenant.get(tenant, 0)


def _reservation_row(reservation: Reservation, expires_at: datetime) -> ReservationRow:
    return ReservationRow(
        id=str(uuid.uuid4()),
        tenant=reservation.tenant,
        identity=reservation.identity,
        due_at=reservation.due_at,
        expires_at=expires_at,
    )
