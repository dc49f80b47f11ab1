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

from service.admission.queue_position import Outlook, Snapshot
from service.assessments.states import Priority
from service.auth.caller import Caller
from service.errors.unavailable import Overloaded, TooManyAssessments
from service.observability.metrics import ADMISSION_REFUSED
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.tables import ReservationRow

EARLY = timedelta(seconds=1)
"""Clocks and rounding: a request with a key of its own that comes so much too early is in time. Of requests that share
an API key nobody knows which one was promised the place: there the first to come when it is due has it, and the time
in which another one could take it is to be short."""
GRACE = timedelta(seconds=60)
"""A promised place that nobody takes for so long is given away."""
FARTHEST = timedelta(hours=1)
"""Nothing is promised for later than this."""
MOST_FOR_ONE_KEY = 1_000
JITTER = 0.1
CHANCE = random.SystemRandom()
MOST_JITTER = 20.0
IDLE_SECONDS = 60.0
IDLE_STAGES = 10.0
COME_BACK_SECONDS = 60
UNKNOWN_EACH = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long the queue may become; `share` is the most of one tenant, 0 for no bound."""

    wait: timedelta
    depth: int
    share: int


def bounds(settings: Settings) -> Bounds:
    """The bounds that the settings set."""
    return Bounds(wait=settings.max_queue_wait, depth=settings.max_queue_depth, share=settings.tenant_max_pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who wants to submit: by the key that it gave this one request, else by its API key."""

    caller: Caller
    request_key: str | None = None

    @property
    def identity(self) -> str:
        """A digest, so that nothing a client made up is kept."""
        named = f"key {self.caller.key_id}" if self.request_key is None else f"request {self.request_key}"
        return hashlib.sha256(named.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A place that was promised."""

    tenant: str
    identity: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The right to submit once; `promise` was redeemed for it, if there was one."""

    promise: Promise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Seconds until there is room; `own` when it is the tenant's own share that is used up."""

    seconds: float
    own: bool


class Admission:
    """The door of one API process; made for many threads."""

    def __init__(self, database: Database, outlook: Outlook, limits: Bounds) -> None:
        self._database = database
        self._outlook = outlook
        self._limits = limits
        self._lock = threading.Lock()
        self._inside: dict[str, int] = {}

    @property
    def inside(self) -> int:
        """How many submissions are on their way in."""
        with self._lock:
            return sum(self._inside.values())

    def enter(self, applicant: Applicant, lane: Priority) -> Admitted:
        """Let a submission in, which has to `leave` afterwards. Raises Overloaded, TooManyAssessments."""
        snapshot = self._outlook.snapshot()
        if lane == Priority.BATCH:
            self._refuse_deep(snapshot)
            admitted = Admitted()
        else:
            _refuse_idle(snapshot)
            calm = not snapshot.promised and self._delay(snapshot, applicant.caller.tenant, 0, 0).seconds <= 0
            admitted = Admitted() if calm else self._decide(snapshot, applicant)
        self._count(applicant.caller.tenant, 1)
        return admitted

    def leave(self, applicant: Applicant, admitted: Admitted, *, accepted: bool) -> None:
        """The submission is over; one that came to nothing gets its promise back."""
        self._count(applicant.caller.tenant, -1)
        if accepted or admitted.promise is None:
            return
        promise, expires_at = admitted.promise, now() + GRACE
        self._database.write(lambda session: session.add(_row(promise, expires_at)))

    def _refuse_deep(self, snapshot: Snapshot) -> None:
        depth = snapshot.lanes[Priority.BATCH].depth
        if depth >= self._limits.depth:
            ADMISSION_REFUSED.labels(reason="lane_full").inc()
            seconds = (depth - self._limits.depth + 1) * (snapshot.each() or UNKNOWN_EACH)
            raise Overloaded("The batch lane is full.", retry_after=_spread(seconds))

    def _decide(self, snapshot: Snapshot, applicant: Applicant) -> Admitted:
        decision = self._database.write(partial(self._decision, snapshot, applicant))
        if isinstance(decision, Admitted):
            return decision
        too_many = isinstance(decision, TooManyAssessments)
        ADMISSION_REFUSED.labels(reason="share_used" if too_many else "queue_long").inc()
        raise decision

    def _decision(
        self, snapshot: Snapshot, applicant: Applicant, session: Session
    ) -> Admitted | Overloaded | TooManyAssessments:
        """Redeem a promise that is due, take free room, or get a promise and be refused."""
        tenant, identity, moment = applicant.caller.tenant, applicant.identity, now()
        early = EARLY if applicant.request_key is not None else timedelta(0)
        if (due := _redeem(session, tenant, identity, moment, early)) is not None:
            return Admitted(promise=due)
        held = _held(session, tenant, identity)
        if held and applicant.request_key is not None:
            return _refusal(ceil((held[0] - moment).total_seconds()), own=False)
        promised, own = _promised(session, tenant, moment)
        delay = self._delay(snapshot, tenant, promised, own)
        if delay.seconds <= 0:
            return Admitted()
        seconds = _spread(min(delay.seconds, FARTHEST.total_seconds()))
        if self._may_promise(delay, promised, len(held)):
            due_at = moment + timedelta(seconds=seconds)
            promise = Promise(tenant=tenant, identity=identity, due_at=due_at)
            session.add(_row(promise, due_at + GRACE))
        return _refusal(seconds, own=delay.own)

    def _may_promise(self, delay: Delay, promised: int, held: int) -> bool:
        near = delay.seconds <= FARTHEST.total_seconds()
        return near and promised < self._limits.depth and held < MOST_FOR_ONE_KEY

    def _delay(self, snapshot: Snapshot, tenant: str, promised: int, own: int) -> Delay:
        """Until there is room for one more besides so many promises, of which some are the tenant's own."""
        line, known = snapshot.lanes[Priority.ROUTINE], snapshot.each()
        each = known or UNKNOWN_EACH
        inside, own_inside = self._counts(tenant)
        ahead = promised + inside + 1
        by_depth = (line.depth + ahead - self._limits.depth) * each
        wait = max(0.0, (line.wait or 0.0) - snapshot.age())
        by_wait = wait + ahead * each - self._limits.wait.total_seconds() if known else 0.0
        seconds = max(by_depth, by_wait)
        ends = line.tenants.get(tenant, [])
        too_many = len(ends) + own + own_inside + 1 - self._limits.share
        if not self._limits.share or too_many <= 0:
            return Delay(seconds=seconds, own=False)
        by_share = max(0.0, _end_of(sorted(ends), too_many, each) - snapshot.age()) + each
        return Delay(seconds=max(seconds, by_share), own=by_share >= seconds)

    def _count(self, tenant: str, change: int) -> None:
        with self._lock:
            self._inside[tenant] = self._inside.get(tenant, 0) + change
            if not self._inside[tenant]:
                del self._inside[tenant]

    def _counts(self, tenant: str) -> tuple[int, int]:
        with self._lock:
            return sum(self._inside.values()), self._inside.get(tenant, 0)


def _refuse_idle(snapshot: Snapshot) -> None:
    """Refuse when the oldest stages have waited far longer than stages take, and nobody has taken any."""
    longest = 0.0 if snapshot.pace is None else snapshot.pace.longest
    if snapshot.idle > max(IDLE_SECONDS, IDLE_STAGES * longest):
        ADMISSION_REFUSED.labels(reason="nobody_works").inc()
        raise Overloaded(
            f"No worker has taken up any work for {snapshot.idle:.0f} seconds.",
            retry_after=_spread(COME_BACK_SECONDS),
        )


def _refusal(seconds: int, *, own: bool) -> Overloaded | TooManyAssessments:
    if own:
        return TooManyAssessments("As many assessments are waiting as may at once.", retry_after=max(1, seconds))
    return Overloaded("The queue is as long as it may be.", retry_after=max(1, seconds))


def _spread(seconds: float) -> int:
    """Whole seconds, never fewer; a little later for some, so that not all come at once."""
    return max(1, ceil(seconds + CHANCE.uniform(0, min(MOST_JITTER, JITTER * seconds))))


def _end_of(ends: list[float], number: int, each: float) -> float:
    """When so many of the tenant's assessments will be done, counting those promised behind the last."""
    if number <= len(ends):
        return ends[number - 1]
    return (ends[-1] if ends else 0.0) + (number - len(ends)) * each


def _redeem(session: Session, tenant: str, identity: str, moment: datetime, early: timedelta) -> Promise | None:
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
    return Promise(tenant=tenant, identity=identity, due_at=row.due_at)


def _held(session: Session, tenant: str, identity: str) -> list[datetime]:
    """When the places are due that this client was promised, the next one first."""
    return list(
        session.scalars(
            select(ReservationRow.due_at)
            .where(ReservationRow.tenant == tenant, ReservationRow.identity == identity)
            .order_by(ReservationRow.due_at)
        )
    )


def _promised(session: Session, tenant: str, moment: datetime) -> tuple[int, int]:
    """How many places are promised in all, and to this tenant."""
    counts = (
        select(ReservationRow.tenant, func.count())
        .where(ReservationRow.expires_at > moment)
        .group_by(ReservationRow.tenant)
    )
    by_tenant = {holder: count for holder, count in session.execute(counts)}  # noqa: C416 - a result is no mapping
    return sum(by_tenant.values()), by_tenant.get(tenant, 0)


def _row(promise: Promise, expires_at: datetime) -> ReservationRow:
    return ReservationRow(
        id=str(uuid.uuid4()),
        tenant=promise.tenant,
        identity=promise.identity,
        due_at=promise.due_at,
        expires_at=expires_at,
    )
