"""What keeps jobs moving when a message, a worker or a process is lost.

Every process runs a sweeper thread. Each publishes stages when woken; the one that leads also looks, every
few seconds, for leases that ran out, messages nobody took up and material that should be gone.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import structlog
from sqlalchemy import or_

from service.assessments.stages import StageRepository
from service.assessments.states import WORKERS_LOST
from service.batches.lifecycle import advance_batches
from service.idempotency import delete_expired_keys
from service.maintenance.orphans import remove_orphans
from service.maintenance.retention import Retention, erase_old, erase_old_batches, remove_material, retention
from service.maintenance.upload_expiry import expire_uploads
from service.observability.logs import failure_fields
from service.observability.metrics import SWEEPS
from service.queue.model_replacement import send_back_stranded
from service.queue.publisher import Window, pump
from service.queue.redelivery import forget_unheard
from service.settings import Settings
from service.storage.conflicts import insert_into
from service.storage.database import Database, now
from service.storage.objects import ObjectStore
from service.storage.tables import LeadershipRow
from service.task_queue.publisher import Doorbell
from service.webhooks.deliveries import DeliverySweep, delivery_sweep, sweep_deliveries
from service.webhooks.publisher import publish_deliveries
from service.worker_registry import forget_lost

log = structlog.stdlib.get_logger(__name__)
ROLE = "sweeper"
AT_ONCE = 100
ORPHANED_AFTER = timedelta(hours=1)
TIDY_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """How often and how patiently to sweep."""

    every: timedelta
    republish_after: timedelta
    attempts: int
    window: Window
    retention: Retention
    keys_age: timedelta
    uploads_age: timedelta
    deliveries: DeliverySweep


def sweep_plan(settings: Settings) -> SweepPlan:
    """The plan that the settings describe."""
    return SweepPlan(
        every=settings.sweep,
        republish_after=settings.republish_after,
        attempts=settings.attempts,
        window=Window(stages_per_slot=settings.window, silence=settings.silence),
        retention=retention(settings),
        keys_age=settings.idempotency_age,
        uploads_age=settings.upload_age,
        deliveries=delivery_sweep(settings),
    )


def lead(database: Database, owner: str, lease: timedelta) -> bool:
    """Become, or stay, the one sweeper; False while another one leads."""
    moment = now()
    values = {"role": ROLE, "owner": owner, "lease_until": moment + lease}
    with database.writing() as session:
        statement = insert_into(session, LeadershipRow).values(**values)
        taken = session.scalars(
            statement.on_conflict_do_update(
                index_elements=[LeadershipRow.role],
                set_={"owner": owner, "lease_until": moment + lease},
                where=or_(LeadershipRow.owner == owner, LeadershipRow.lease_until < moment),
            ).returning(LeadershipRow.owner)
        ).all()
    return bool(taken)


def sweep(database: Database, objects: ObjectStore, plan: SweepPlan) -> None:
    """Put right whatever was lost; safe to run at any time and twice."""
    silence = plan.window.silence
    with database.reading() as session:
        lost = StageRepository(session, ROLE).stalled(silence, AT_ONCE)
    for stage_id in lost:
        with database.writing() as session:
            of = StageRepository(session, ROLE).reclaim(stage_id, silence, plan.attempts, WORKERS_LOST)
        if of is not None:
            log.warning("a stage lost its worker", stage=stage_id, assessment=of.id, request_id=of.request_id)
    with database.writing() as session:
        forget_unheard(session, plan.republish_after, silence)
        forget_lost(session)
    send_back_stranded(database, silence)
    sweep_deliveries(database, plan.deliveries)
    remove_material(database, objects, plan.retention)
    advance_batches(database, objects)


def tidy(database: Database, objects: ObjectStore, plan: SweepPlan) -> None:
    """Remove what has outlived its time; safe to run at any time and twice."""
    while erase_old(database, objects, plan.retention) == AT_ONCE:
        pass
    erase_old_batches(database, plan.retention)
    delete_expired_keys(database, plan.keys_age)
    expire_uploads(database, objects, plan.uploads_age)
    remove_orphans(database, objects, ORPHANED_AFTER)


class Sweeper:
    """The thread of one process that pumps when woken and sweeps while it leads."""

    def __init__(
        self, database: Database, objects: ObjectStore, doorbell: Doorbell, plan: SweepPlan, owner: str
    ) -> None:
        self._database = database
        self._objects = objects
        self._doorbell = doorbell
        self._plan = plan
        self._owner = owner
        self._wake = threading.Event()
        self._stopping = False
        self._next_tidying = monotonic()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to publish; returns at once."""
        self._wake.set()

    def stop(self) -> None:
        """End and wait for the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        every = self._plan.every.total_seconds()
        next_sweep = monotonic() + every
        while not self._stopping:
            self._wake.wait(max(0.0, next_sweep - monotonic()))
            self._wake.clear()
            if self._stopping:
                return
            due = monotonic() >= next_sweep
            if due:
                next_sweep = monotonic() + every
            self._turn(due)

    def _tidy(self) -> None:
        """What nobody waits for, once a minute."""
        if monotonic() >= self._next_tidying:
            self._next_tidying = monotonic() + TIDY_EVERY.total_seconds()
            tidy(self._database, self._objects, self._plan)

    def _sweep(self) -> None:
        outcome = "failed"
        try:
            sweep(self._database, self._objects, self._plan)
            self._tidy()
            outcome = "done"
        finally:
            SWEEPS.labels(outcome=outcome).inc()

    def _turn(self, due: bool) -> None:
        try:
            if due and lead(self._database, self._owner, 4 * self._plan.every):
                self._sweep()
            pump(self._database, self._doorbell, self._plan.window)
            publish_deliveries(self._database, self._doorbell, self._plan.window.silence)
        except Exception as error:  # the thread must outlive whatever one turn meets
            log.warning("sweep failed", **failure_fields(error))
