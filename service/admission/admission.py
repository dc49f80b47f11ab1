"""Who may submit now, and when the others may: a place is promised to each client that is sent away.

A queue longer than anybody wants to wait for helps nobody. So routine submissions are refused while those before them
would take too long; each refused client gets the moment at which there will be room for it, spaced by what was
promised before, and is let in when it comes back then. Who comes anew gets only room that nobody was promised.
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
"""Clocks and rounding: a request with a key of its own that comes so much too early is in time. Of requests that share
an API key nobody knows which one was promised the place: there the first to come when it is due has it, and the time
in which another one could take it is to be short."""
RESERVATION_GRACE = timedelta(seconds=60)
"""A promised place that nobody takes for so long is given away."""
MAX_RESERVATION_DELAY = timedelta(hours=1)
"""Nothing is promised for later than this."""
MAX_RESERVATIONS_PER_KEY = 1_000
RETRY_JITTER = 0.1
RANDOM = random.SystemRandom()
MAX_JITTER_SECONDS = 20.0
MIN_IDLE_SECONDS = 60.0
IDLE_STAGE_DURATIONS = 10.0
IDLE_RETRY_AFTER_SECONDS = 60
DEFAULT_SECONDS_PER_ASSESSMENT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """How long the queue may become; `share` is the most of one tenant, 0 for no bound."""

    wait: timedelta
    depth: int
    share: int


def admission_limits(settings: Settings) -> AdmissionLimits:
    """The bounds that the settings set."""
    return AdmissionLimits(
        wait=settings.max_queue_wait, depth=settings.max_queue_depth, share=settings.tenant_max_pending
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who wants to submit: by the key that it gave this one request, else by its API key."""

    caller: Caller
    request_key: str | None = None

    @property
    def identity(self) -> str:
        """A digest, so that nothing a client made up is kept."""
        named = f"key {self.caller.key_id}" if self.request_key is None else f"request {self.request_key}"
        return hashlib.sha256(named.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A place that was promised."""

    tenant: str
    identity: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionGrant:
    """The right to submit once; `promise` was redeemed for it, if there was one."""

    promise: Reservation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionDelay:
    """Seconds until there is room; `own` when it is the tenant's own share that is used up."""

    seconds: float
    own: bool


class AdmissionController:
    """The door of one API process; made for many threads."""

    def __init__(self, database: Database, queue_positions: QueuePositions, limits: AdmissionLimits) -> None:
        self._database = database
        self._queue_positions = queue_positions
        self._limits = limits
        self._lock = threading.Lock()
        self._in_progress: dict[str, int] = {}

    @property
    def in_progress(self) -> int:
        """How many submissions are on their way in."""
        with self._lock:
            return sum(self._in_progress.values())

    def admit(self, requester: Requester, lane: Priority) -> AdmissionGrant:
        """Let a submission in, which has to `leave` afterwards. Raises Overloaded, TooManyAssessments."""
        snapshot = self._queue_positions.snapshot()
        if lane == Priority.BATCH:
            self._refuse_deep(snapshot)
            grant = AdmissionGrant()
        else:
            _refuse_without_workers(snapshot)
            calm = not snapshot.promised and self._delay(snapshot, requester.caller.tenant, 0, 0).seconds <= 0
            grant = AdmissionGrant() if calm else self._decide(snapshot, requester)
        self._count(requester.caller.tenant, 1)
        return grant

    def release(self, requester: Requester, grant: AdmissionGrant, *, accepted: bool) -> None:
        """The submission is over; one that came to nothing gets its promise back."""
        self._count(requester.caller.tenant, -1)
        if accepted or grant.promise is None:
            return
        promise, expires_at = grant.promise, now() + RESERVATION_GRACE
        self._database.write(lambda session: session.add(_reservation_row(promise, expires_at)))

    def _refuse_deep(self, snapshot: PositionSnapshot) -> None:
        depth = snapshot.lanes[Priority.BATCH].depth
        if depth >= self._limits.depth:
            ADMISSION_REFUSED.labels(reason="lane_full").inc()
            seconds = (depth - self._limits.depth + 1) * (snapshot.each() or DEFAULT_SECONDS_PER_ASSESSMENT)
            raise Overloaded("The batch lane is full.", retry_after=_with_jitter(seconds))

    def _decide(self, snapshot: PositionSnapshot, requester: Requester) -> AdmissionGrant:
        decision = self._database.write(partial(self._decision, snapshot, requester))
        if isinstance(decision, AdmissionGrant):
            return decision
        too_many = isinstance(decision, TooManyAssessments)
        ADMISSION_REFUSED.labels(reason="share_used" if too_many else "queue_long").inc()
        raise decision

    def _decision(
        self, snapshot: PositionSnapshot, requester: Requester, session: Session
    ) -> AdmissionGrant | Overloaded | TooManyAssessments:
        """Redeem a promise that is due, take free room, or get a promise and be refused."""
        tenant, identity, moment = requester.caller.tenant, requester.identity, now()
        early = EARLY_TOLERANCE if requester.request_key is not None else timedelta(0)
        if (due := _redeem(session, tenant, identity, moment, early)) is not None:
            return AdmissionGrant(promise=due)
        held = _reserved_for_requester(session, tenant, identity)
        if held and requester.request_key is not None:
            return _refusal(ceil((held[0] - moment).total_seconds()), own=False)
        promised, own = _count_reservations(session, tenant, moment)
        delay = self._delay(snapshot, tenant, promised, own)
        if delay.seconds <= 0:
            return AdmissionGrant()
        seconds = _with_jitter(min(delay.seconds, MAX_RESERVATION_DELAY.total_seconds()))
        if self._may_promise(delay, promised, len(held)):
            due_at = moment + timedelta(seconds=seconds)
            promise = Reservation(tenant=tenant, identity=identity, due_at=due_at)
            session.add(_reservation_row(promise, due_at + RESERVATION_GRACE))
        return _refusal(seconds, own=delay.own)

    def _may_promise(self, delay: AdmissionDelay, promised: int, held: int) -> bool:
        near = delay.seconds <= MAX_RESERVATION_DELAY.total_seconds()
        return near and promised < self._limits.depth and held < MAX_RESERVATIONS_PER_KEY

    def _delay(self, snapshot: PositionSnapshot, tenant: str, promised: int, own: int) -> AdmissionDelay:
        """Until there is room for one more besides so many promises, of which some are the tenant's own."""
        line, known = snapshot.lanes[Priority.ROUTINE], snapshot.each()
        each = known or DEFAULT_SECONDS_PER_ASSESSMENT
        inside, own_inside = self._counts(tenant)
        ahead = promised + inside + 1
        by_depth = (line.depth + ahead - self._limits.depth) * each
        wait = max(0.0, (line.wait or 0.0) - snapshot.age())
        by_wait = wait + ahead * each - self._limits.wait.total_seconds() if known else 0.0
        seconds = max(by_depth, by_wait)
        ends = line.tenants.get(tenant, [])
        too_many = len(ends) + own + own_inside + 1 - self._limits.share
        if not self._limits.share or too_many <= 0:
            return AdmissionDelay(seconds=seconds, own=False)
        by_share = max(0.0, _finish_of_nth(sorted(ends), too_many, each) - snapshot.age()) + each
        return AdmissionDelay(seconds=max(seconds, by_share), own=by_share >= seconds)

    def _count(self, tenant: str, change: int) -> None:
        with self._lock:
            self._in_progress[tenant] = self._in_progress.get(tenant, 0) + change
            if not self._in_progress[tenant]:
                del self._in_progress[tenant]

    def _counts(self, tenant: str) -> tuple[int, int]:
        with self._lock:
            return sum(self._in_progress.values()), self._in_progress.get(tenant, 0)


def _refuse_without_workers(snapshot: PositionSnapshot) -> None:
    """Refuse when the oldest stages have waited far longer than stages take, and nobody has taken any."""
    longest = 0.0 if snapshot.pace is None else snapshot.pace.longest
    if snapshot.idle > max(MIN_IDLE_SECONDS, IDLE_STAGE_DURATIONS * longest):
        ADMISSION_REFUSED.labels(reason="nobody_works").inc()
        raise Overloaded(
            f"No worker has taken up any work for {snapshot.idle:.0f} seconds.",
            retry_after=_with_jitter(IDLE_RETRY_AFTER_SECONDS),
        )


def _refusal(seconds: int, *, own: bool) -> Overloaded | TooManyAssessments:
    if own:
        return TooManyAssessments("As many assessments are waiting as may at once.", retry_after=max(1, seconds))
    return Overloaded("The queue is as long as it may be.", retry_after=max(1, seconds))


def _with_jitter(seconds: float) -> int:
    """Whole seconds, never fewer; a little later for some, so that not all come at once."""
    return max(1, ceil(seconds + RANDOM.uniform(0, min(MAX_JITTER_SECONDS, RETRY_JITTER * seconds))))


def _finish_of_nth(ends: list[float], number: int, each: float) -> float:
    """When so many of the tenant's assessments will be done, counting those promised behind the last."""
    if number <= len(ends):
        return ends[number - 1]
    return (ends[-1] if ends else 0.0) + (number - len(ends)) * each


def _redeem(session: Session, tenant: str, identity: str, moment: datetime, early: timedelta) -> Reservation | None:
    """Take the earliest promise that is due; it is gone afterwards, and so is what nobody came for."""
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
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    session.delete(row)
    return Reservation(tenant=tenant, identity=identity, due_at=row.due_at)


def _reserved_for_requester(session: Session, tenant: str, identity: str) -> list[datetime]:
    """When the places are due that this client was promised, the next one first."""
    return list(
        session.scalars(
            select(ReservationRow.due_at)
            .where(ReservationRow.tenant == tenant, ReservationRow.identity == identity)
            .order_by(ReservationRow.due_at)
        )
    )


def _count_reservations(session: Session, tenant: str, moment: datetime) -> tuple[int, int]:
    """How many places are promised in all, and to this tenant."""
    counts = (
        select(ReservationRow.tenant, func.count())
        .where(ReservationRow.expires_at > moment)
        .group_by(ReservationRow.tenant)
    )
    by_tenant = {holder: count for holder, count in session.execute(counts)}  # noqa: C416 - a result is no mapping
    return sum(by_tenant.values()), by_tenant.get(tenant, 0)


def _reservation_row(promise: Reservation, expires_at: datetime) -> ReservationRow:
    return ReservationRow(
        id=str(uuid.uuid4()),
        tenant=promise.tenant,
        identity=promise.identity,
        due_at=promise.due_at,
        expires_at=expires_at,
    )
