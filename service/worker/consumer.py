"""The Celery consumer: register tasks, and run claimable stages for a bounded time before returning to the broker."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from celery import Celery
from celery.worker import state

from service.task_queue.publisher import STAGE_QUEUES, task_name


def register_tasks(app: Celery, run: Callable[[str], None], queues: tuple[str, ...] = STAGE_QUEUES) -> None:
    """Serve the task of each of these queues with `run(id)`."""

    def serve(stage_id: str) -> None:
        run(stage_id)

    for queue in queues:
        app.task(serve, name=task_name(queue), max_retries=3, default_retry_delay=5)


MAX_RUN_SECONDS = 30.0


def run_stages(run: Callable[[str, str | None], str | None], stage_id: str, *, stopping: Callable[[], bool]) -> None:
    """Serve a message: run a stage, then the next best one without waiting for its message, for a while.

    Soon enough the consumer has to be heard again: the broker hears of what was done, a stop is noticed.
    """
    turn_ends = monotonic() + MAX_RUN_SECONDS
    worked_on = run(stage_id, None)
    while worked_on is not None and not stopping() and monotonic() < turn_ends:
        worked_on = run(stage_id, worked_on)


def stop_requested() -> bool:
    """Whether a signal has asked this worker to end; the flags hold exit statuses, and 0 is one."""
    flags = (state.should_stop, state.should_terminate)
    return any(flag is not None and flag is not False for flag in flags)
