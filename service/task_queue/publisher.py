"""Publishing of task messages. A message holds one id, and may be lost, doubled or late without harm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from service.task_queue.file_transport import SCHEME, file_transport_options, register_transport
from service.task_queue.redis_transport import register_redis_transport

STAGE_QUEUES = ("prepare", "encode", "score")
DELIVER = "deliver"
QUEUES = (*STAGE_QUEUES, DELIVER)
CONNECT_SECONDS = 2.0

DEFAULT_VISIBILITY_TIMEOUT = timedelta(hours=1)

LOST_MESSAGE_AFTER = timedelta(seconds=5)
"""An idle worker takes a message at once. So a message this old counts as lost while a worker is idle."""

REDIS_OPTIONS: dict[str, object] = {
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "max_retries": 1,
    "global_keyprefix": "hilbert:",
}
"""Without `socket_timeout` a worker would wait forever on a half-open connection."""

CELERY_SETTINGS: dict[str, object] = {
    "result_backend": None,  # results are rows and objects
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    # A message is acknowledged after its stage, so that it survives the worker; the fence makes a second run harmless.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_retry_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,  # a prefetched message would wait behind a stage while other workers are idle
    # The fence guards a stage, so a worker that loses the broker can finish its stage.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_enable_remote_control": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_create_missing_queues": False,
    "task_soft_time_limit": 540,
    "task_time_limit": 600,
    "worker_max_tasks_per_child": 200,
    "task_publish_retry_policy": {
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
    },
}


class BrokerUnreachable(Exception):
    """The broker does not answer. Nothing is lost: the database holds every stage, and the sweeper publishes again."""


def task_name(queue: str) -> str:
    """Name of the Celery task of a queue."""
    return f"hilbert.{queue}"


def open_celery(broker: str, visibility_timeout: timedelta = DEFAULT_VISIBILITY_TIMEOUT) -> Celery:
    """A Celery application for this broker URL, without tasks.

    Redis redelivers a message that was not acknowledged within `visibility_timeout`. That is harmless: its stage is
    leased.
    """
    register_transport()
    register_redis_transport()
    app = Celery("hilbert", broker=broker, set_as_current=False)
    app.conf.update(CELERY_SETTINGS)
    app.conf.task_queues = [Queue(name) for name in QUEUES]
    app.conf.broker_transport_options = transport_options(broker, visibility_timeout)
    return app


def transport_options(broker: str, visibility_timeout: timedelta = DEFAULT_VISIBILITY_TIMEOUT) -> dict[str, object]:
    """Options for the transport that the URL names."""
    parts = urlsplit(broker)
    if parts.scheme == SCHEME:
        return file_transport_options(Path(parts.path))
    if parts.scheme in {"redis", "rediss"}:
        return {**REDIS_OPTIONS, "visibility_timeout": visibility_timeout.total_seconds()}
    return {}


class TaskPublisher:
    """Publishes task messages; thread-safe."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, queue: str, stage_id: str) -> None:
        """Send a message that wakes one worker of the queue. Raises BrokerUnreachable."""
        try:
            # By name, because only workers register the tasks.
            self._app.send_task(task_name(queue), args=[stage_id], queue=queue)
        except (OperationalError, OSError, AttributeError) as error:
            # Kombu raises AttributeError on a channel that another thread has just closed over a lost connection.
            raise BrokerUnreachable from error

    def check(self) -> None:
        """Raise BrokerUnreachable unless the broker answers."""
        try:
            with self._app.connection_for_write(connect_timeout=CONNECT_SECONDS) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        except (OperationalError, OSError) as error:
            raise BrokerUnreachable from error

    def close(self) -> None:
        """Close the pooled connections."""
        self._app.close()
