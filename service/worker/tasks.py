"""Celery's side of a worker: a message comes in, the stage it names is run."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

from service.task_queue.doorbell import STAGE_QUEUES, task_name


def register_tasks(app: Celery, run: Callable[[str], None], queues: tuple[str, ...] = STAGE_QUEUES) -> None:
    """Serve the task of each of these queues with `run(id)`."""

    def serve(stage_id: str) -> None:
        run(stage_id)

    for queue in queues:
        app.task(serve, name=task_name(queue), max_retries=3, default_retry_delay=5)
