"""The webhook worker process: no model, and many threads, because it mostly waits for receivers."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from service.maintenance.sweeper import Sweeper, sweep_plan
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import open_objects
from service.task_queue.publisher import DELIVER, BrokerUnreachable, TaskPublisher, open_celery
from service.webhooks.publisher import has_unclaimed_deliveries
from service.webhooks.states import delivery_lease, delivery_retry_policy
from service.webhooks.url_policy import webhook_url_policy
from service.worker.consumer import register_tasks
from service.worker.heartbeat import Heartbeat
from service.worker.process import open_consumer, report_ready, start_until_closed, watchdog_limits, worker_identity
from service.worker.watchdog import Watchdog
from service.worker.webhooks.http_client import WebhookClient
from service.worker.webhooks.sender import WebhookSender


def run_webhook_worker(settings: Settings) -> int:
    """Consume the queue `deliver` until a signal ends the process; returns its exit status."""
    worker = worker_identity((DELIVER,), settings.webhook_concurrency)
    with ExitStack() as closing:
        database = Database(settings.database)
        closing.callback(database.close)
        app = open_celery(settings.broker, settings.broker_visibility_timeout)
        objects = open_objects(settings)
        publisher = TaskPublisher(app)
        start_until_closed(
            closing, Heartbeat(database, worker, None, interval=settings.worker_heartbeat_interval, file=settings.alive)
        )
        sweeper = start_until_closed(closing, Sweeper(database, objects, publisher, sweep_plan(settings), worker.id))
        watchdog = start_until_closed(
            closing, Watchdog(watchdog_limits(settings), partial(_work_is_waiting, database, publisher))
        )
        runner = WebhookSender(
            database,
            WebhookClient(webhook_url_policy(settings), timeout=settings.webhook_timeout),
            worker=worker.id,
            plan=delivery_retry_policy(settings),
            lease=delivery_lease(settings),
        )

        def run(delivery_id: str) -> None:
            with watchdog.serving():
                if runner.run(delivery_id):
                    # The attempt freed a place in the window, which the next delivery can have at once.
                    sweeper.wake()

        register_tasks(app, run, (DELIVER,))
        report_ready(worker)
        consumer = open_consumer(app, worker)
        consumer.start()
    return int(consumer.exitcode or 0)


def _work_is_waiting(database: Database, publisher: TaskPublisher) -> bool:
    """Whether the broker answers, and published deliveries wait for a worker."""
    with database.reading() as session:
        if not has_unclaimed_deliveries(session):
            return False
    try:
        publisher.check()
    except BrokerUnreachable:
        return False
    return True
