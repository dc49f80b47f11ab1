"""The sweeper: publishes stages, and repairs the queue after a message, a worker or a process is lost.

Every process runs a sweeper thread. Each one publishes stages and deliveries when woken. One of them at a time is the
leader, which also looks every few seconds for expired leases, messages that no worker claimed and data to delete.
"""

from __future__ import annotations

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
from service.periodic_thread import PeriodicThread
from service.queue.model_replacement import restart_without_model
from service.queue.publisher import PublishWindow, publish_stages
from service.queue.redelivery import requeue_unclaimed
from service.settings import Settings
from service.storage.conflicts import insert_into
from service.storage.database import Database, now
from service.storage.lease import is_expired, is_owned_by
from service.storage.objects import ObjectStore
from service.storage.tables import LeadershipRow
from service.task_queue.publisher import TaskPublisher
from service.webhooks.deliveries import DeliverySweep, delivery_sweep, sweep_deliveries
from service.webhooks.publisher import publish_deliveries
from service.worker_registry import delete_lost_workers

log = structlog.stdlib.get_logger(__name__)
ROLE = "sweeper"
MAX_ROWS = 100
# A form's last object is stored moments before its row, so an hour is ample (decision 0026).
ORPHANED_AFTER = timedelta(hours=1)
CLEANUP_INTERVAL = timedelta(minutes=1)
LEADERSHIP_INTERVALS = 4
"""Sweeps that a leader may miss before another process takes over."""
STOP_TIMEOUT = timedelta(seconds=5)
"""How long the end of a process waits for a sweep in progress; sweeps may be cut off anywhere and repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """The sweeper's interval, timeouts and limits."""

    interval: timedelta
    republish_after: timedelta
    attempts: int
    window: PublishWindow
    retention: Retention
    idempotency_ttl: timedelta
    upload_ttl: timedelta
    deliveries: DeliverySweep


def sweep_plan(settings: Settings) -> SweepPlan:
    """The plan from the settings."""
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
    """Become or stay the leader for one lease; False while another process leads."""
    moment = now()
    values = {"role": ROLE, "owner": owner, "lease_until": moment + lease}
    with database.writing() as session:
        statement = insert_into(session, LeadershipRow).values(**values)
        taken = session.scalars(
            statement.on_conflict_do_update(
                index_elements=[LeadershipRow.role],
                set_={"owner": owner, "lease_until": moment + lease},
                where=or_(is_owned_by(LeadershipRow, owner), is_expired(LeadershipRow, moment)),
            ).returning(LeadershipRow.owner)
        ).all()
    return bool(taken)


def sweep(database: Database, objects: ObjectStore, plan: SweepPlan) -> None:
    """Repair what was lost. Idempotent: safe at any time, and in two processes at once."""
    worker_timeout = plan.window.worker_timeout
    with database.reading() as session:
        lost = StageRepository(session, ROLE).stalled(worker_timeout, MAX_ROWS)
    for stage_id in lost:
        # One transaction for each stage: they lock different assessments, and a short one delays no worker.
        with database.writing() as session:
            of = StageRepository(session, ROLE).reclaim(stage_id, worker_timeout, plan.attempts, WORKERS_LOST)
        if of is not None:
            log.warning("a stage lost its worker", stage=stage_id, assessment=of.id, request_id=of.request_id)
    with database.writing() as session:
        requeue_unclaimed(session, plan.republish_after, worker_timeout)
        delete_lost_workers(session)
    restart_without_model(database, worker_timeout)
    sweep_deliveries(database, plan.deliveries)
    remove_material(database, objects, plan.retention)
    advance_batches(database, objects)


def clean_up(database: Database, objects: ObjectStore, plan: SweepPlan) -> None:
    """Delete data whose retention is over. Idempotent: safe at any time, and in two processes at once."""
    while erase_expired_assessments(database, objects, plan.retention) == MAX_ROWS:
        pass
    erase_expired_batches(database, plan.retention)
    delete_expired_keys(database, plan.idempotency_ttl)
    expire_uploads(database, objects, plan.upload_ttl)
    remove_orphans(database, objects, ORPHANED_AFTER)


class Sweeper:
    """The sweeper thread of one process."""

    def __init__(
        self, database: Database, objects: ObjectStore, publisher: TaskPublisher, plan: SweepPlan, owner: str
    ) -> None:
        self._database = database
        self._objects = objects
        self._publisher = publisher
        self._plan = plan
        self._owner = owner
        self._next_sweep = monotonic() + plan.interval.total_seconds()
        self._next_cleanup = monotonic()
        self._thread = PeriodicThread("sweeper", self._run_once, self._until_sweep, join_timeout=STOP_TIMEOUT)

    def start(self) -> None:
        """Start the thread; the first sweep follows after one interval."""
        self._next_sweep = monotonic() + self._plan.interval.total_seconds()
        self._thread.start()

    def wake(self) -> None:
        """Publish what is ready now; returns at once."""
        self._thread.wake()

    def stop(self) -> None:
        """Stop the thread."""
        self._thread.stop()

    def _until_sweep(self) -> float:
        # Measured from the last sweep, so that wake-ups, which only publish, never put a sweep off.
        return max(0.0, self._next_sweep - monotonic())

    def _run_once(self) -> None:
        due = monotonic() >= self._next_sweep
        if due:
            # Before the work, so that a sweep that fails is repeated after an interval and not at once.
            self._next_sweep = monotonic() + self._plan.interval.total_seconds()
        try:
            if due and acquire_leadership(self._database, self._owner, LEADERSHIP_INTERVALS * self._plan.interval):
                self._sweep()
            publish_stages(self._database, self._publisher, self._plan.window)
            publish_deliveries(self._database, self._publisher, self._plan.window.worker_timeout)
        except Exception as error:  # the thread must outlive every error: nothing else would publish in this process
            log.warning("sweep failed", **failure_fields(error))

    def _sweep(self) -> None:
        outcome = "failed"
        try:
            sweep(self._database, self._objects, self._plan)
            self._clean_up()
            outcome = "done"
        finally:
            SWEEPS.labels(outcome=outcome).inc()

    def _clean_up(self) -> None:
        """Delete expired data once a minute: nobody waits for it, and its queries read more rows than a sweep's."""
        if monotonic() >= self._next_cleanup:
            self._next_cleanup = monotonic() + CLEANUP_INTERVAL.total_seconds()
            clean_up(self._database, self._objects, self._plan)
