"""One worker process that delivers: no model, many threads, for it does little but wait for receivers."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from service.maintenance.sweeper import Sweeper, sweep_plan
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import open_objects
from service.task_queue.publisher import DELIVER, Doorbell, QueueUnreachable, open_celery
from service.webhooks.publisher import has_unclaimed_deliveries
from service.webhooks.states import delivery_lease, delivery_retry_policy
from service.webhooks.url_policy import webhook_url_policy
from service.worker.consumer import register_tasks
from service.worker.heartbeat import Presence
from service.worker.process import identity, open_consumer, say_ready, started, watch_limits
from service.worker.watchdog import Watchdog
from service.worker.webhooks.http_client import GuardedClient
from service.worker.webhooks.sender import DeliveryRunner


def run_delivering_worker(settings: Settings) -> int:
    """Serve the queue `deliver` until a signal ends the process; returns its exit status."""
    worker = identity((DELIVER,), settings.webhook_slots)
    with ExitStack() as closing:
        database = Database(settings.database)
        closing.callback(database.close)
        app = open_celery(settings.broker, settings.visibility)
        objects = open_objects(settings)
        doorbell = Doorbell(app)
        started(closing, Presence(database, worker, None, every=settings.presence, alive=settings.alive))
        sweeper = started(closing, Sweeper(database, objects, doorbell, sweep_plan(settings), worker.id))
        watchdog = started(closing, Watchdog(watch_limits(settings), partial(_work_waits, database, doorbell)))
        runner = DeliveryRunner(
            database,
            GuardedClient(webhook_url_policy(settings), timeout=settings.webhook_timeout),
            worker=worker.id,
            plan=delivery_retry_policy(settings),
            lease=delivery_lease(settings),
        )

        def run(delivery_id: str) -> None:
            with watchdog.serving():
                if runner.run(delivery_id):
                    sweeper.wake()

        register_tasks(app, run, (DELIVER,))
        say_ready(worker)
        consumer = open_consumer(app, worker)
        consumer.start()
    return int(consumer.exitcode or 0)


def _work_waits(database: Database, doorbell: Doorbell) -> bool:
    """Whether deliveries were published that nobody has taken, and the broker answers."""
    with database.reading() as session:
        if not has_unclaimed_deliveries(session):
            return False
    try:
        doorbell.check()
    except QueueUnreachable:
        return False
    return True
