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
from service.batches.lifecycle import finish_batches
from service.idempotency import forget_keys
from service.maintenance.orphans import remove_orphans
from service.maintenance.retention import (
    Retention,
    erase_expired_assessments,
    erase_expired_batches,
    remove_material,
    retention,
)
from service.maintenance.upload_expiry import expire_uploads
from service.observability.logs import failure_fields
from service.observability.metrics import SWEEPS
from service.queue.model_replacement import restart_without_model
from service.queue.publisher import PublishWindow, publish_stages
from service.queue.redelivery import requeue_unclaimed
from service.settings import Settings
from service.storage.conflicts import insert_into
from service.storage.database import Database, now
from service.storage.objects import ObjectStore
from service.storage.tables import LeadershipRow
from service.task_queue.publisher import TaskPublisher
from service.webhooks.deliveries import DeliverySweep, delivery_sweep, sweep_deliveries
from service.webhooks.publisher import pump_deliveries
from service.worker_registry import delete_lost_workers

log = structlog.stdlib.get_logger(__name__)
ROLE = "sweeper"
MAX_ROWS = 100
ORPHANED_AFTER = timedelta(hours=1)
CLEANUP_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """How often and how patiently to sweep."""

    interval: timedelta
    republish_after: timedelta
    attempts: int
    window: PublishWindow
    retention: Retention
    idempotency_ttl: timedelta
    upload_ttl: timedelta
    deliveries: DeliverySweep


def sweep_plan(settings: Settings) -> SweepPlan:
    """The plan that the settings describe."""
    return SweepPlan(
        interval=settings.sweep_interval,
        republish_after=settings.republish_after,
        attempts=settings.stage_max_attempts,
        window=PublishWindow(stages_per_slot=settings.publish_window, worker_timeout=settings.worker_timeout),
        retention=retention(settings),
        idempotency_ttl=settings.idempotency_ttl,
        upload_ttl=settings.upload_ttl,
        deliveries=delivery_sweep(settings),
    )


def acquire_leadership(database: Database, owner: str, lease: timedelta) -> bool:
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
    worker_timeout = plan.window.worker_timeout
    with database.reading() as session:
        lost = StageRepository(session, ROLE).lost(worker_timeout, MAX_ROWS)
    for stage_id in lost:
        with database.writing() as session:
            of = StageRepository(session, ROLE).take_back(stage_id, worker_timeout, plan.attempts, WORKERS_LOST)
        if of is not None:
            log.warning("a stage lost its worker", stage=stage_id, assessment=of.id, request_id=of.request_id)
    with database.writing() as session:
        requeue_unclaimed(session, plan.republish_after, worker_timeout)
        delete_lost_workers(session)
    restart_without_model(database, worker_timeout)
    sweep_deliveries(database, plan.deliveries)
    remove_material(database, objects, plan.retention)
    finish_batches(database, objects)


def clean_up(database: Database, objects: ObjectStore, plan: SweepPlan) -> None:
    """Remove what has outlived its time; safe to run at any time and twice."""
    while erase_expired_assessments(database, objects, plan.retention) == MAX_ROWS:
        pass
    erase_expired_batches(database, plan.retention)
    forget_keys(database, plan.idempotency_ttl)
    expire_uploads(database, objects, plan.upload_ttl)
    remove_orphans(database, objects, ORPHANED_AFTER)


class Sweeper:
    """The thread of one process that pumps when woken and sweeps while it leads."""

    def __init__(
        self, database: Database, objects: ObjectStore, publisher: TaskPublisher, plan: SweepPlan, owner: str
    ) -> None:
        self._database = database
        self._objects = objects
        self._publisher = publisher
        self._plan = plan
        self._owner = owner
        self._wake = threading.Event()
        self._stopping = False
        self._next_cleanup = monotonic()
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
        every = self._plan.interval.total_seconds()
        next_sweep = monotonic() + every
        while not self._stopping:
            self._wake.wait(max(0.0, next_sweep - monotonic()))
            self._wake.clear()
            if self._stopping:
                return
            due = monotonic() >= next_sweep
            if due:
                next_sweep = monotonic() + every
            self._run_once(due)

    def _clean_up(self) -> None:
        """What nobody waits for, once a minute."""
        if monotonic() >= self._next_cleanup:
            self._next_cleanup = monotonic() + CLEANUP_INTERVAL.total_seconds()
            clean_up(self._database, self._objects, self._plan)

    def _sweep(self) -> None:
        outcome = "failed"
        try:
            sweep(self._database, self._objects, self._plan)
            self._clean_up()
            outcome = "done"
        finally:
            SWEEPS.labels(outcome=outcome).inc()

    def _run_once(self, due: bool) -> None:
        try:
            if due and acquire_leadership(self._database, self._owner, 4 * self._plan.interval):
                self._sweep()
            publish_stages(self._database, self._publisher, self._plan.window)
            pump_deliveries(self._database, self._publisher, self._plan.window.worker_timeout)
        except Exception as error:  # the thread must outlive whatever one turn meets
            log.warning("sweep failed", **failure_fields(error))
