"""One worker process that delivers: no model, many threads, for it does little but wait for receivers."""

from __future__ import annotations

import os
import secrets
import socket

import structlog
from celery import Celery
from celery.signals import setup_logging
from celery.worker import WorkController

from service.jobs.destinations import destinations
from service.jobs.sweeper import Sweeper, sweep_plan
from service.jobs.webhook import delivery_lease, retry_plan
from service.jobs.workers import WorkerIdentity
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import ObjectStore
from service.task_queue.doorbell import DELIVER, Doorbell, open_celery
from service.worker.delivery import DeliveryRunner
from service.worker.guarded_client import GuardedClient
from service.worker.presence import Presence
from service.worker.tasks import register_tasks

log = structlog.stdlib.get_logger(__name__)


def run_delivering_worker(settings: Settings) -> int:
    """Serve the queue `deliver` until a signal ends the process; returns its exit status."""
    worker = WorkerIdentity(
        id=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        queues=(DELIVER,),
        slots=settings.webhook_slots,
    )
    database = Database(settings.database)
    app = open_celery(settings.broker)
    runner = DeliveryRunner(
        database,
        GuardedClient(destinations(settings), timeout=settings.webhook_timeout),
        worker=worker.id,
        plan=retry_plan(settings),
        lease=delivery_lease(settings),
    )
    objects = ObjectStore(settings.object_store)
    sweeper = Sweeper(database, objects, Doorbell(app), sweep_plan(settings), worker.id)
    presence = Presence(database, worker, None, every=settings.presence)

    def run(delivery_id: str) -> None:
        if runner.run(delivery_id):
            sweeper.wake()

    register_tasks(app, run, (DELIVER,))
    presence.start()
    sweeper.start()
    log.info("worker ready", worker=worker.id, queues=worker.queues, concurrency=worker.slots)
    celery_worker = _celery_worker(app, worker)
    try:
        celery_worker.start()
    finally:
        sweeper.stop()
        presence.stop()
        database.close()
    return int(celery_worker.exitcode or 0)


def _keep_logging(**_settings: object) -> None:
    """Where somebody listens to it, Celery leaves logging as it is; else it silences what is less than a warning."""


def _celery_worker(app: Celery, worker: WorkerIdentity) -> WorkController:
    setup_logging.connect(_keep_logging)
    return app.Worker(
        hostname=worker.id,
        pool="threads",
        concurrency=worker.slots,
        queues=list(worker.queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
