"""The Celery consumer: register tasks, and run claimable stages for a bounded time before returning to the broker."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from celery import Celery
from celery.worker import state

from service.task_queue.publisher import STAGE_QUEUES, task_name

MAX_RUN_SECONDS = 30.0
"""How long a worker runs stages for one message; meanwhile the broker gets no acknowledgement and a stop waits."""


def register_tasks(app: Celery, run: Callable[[str], None], queues: tuple[str, ...] = STAGE_QUEUES) -> None:
    """Register a Celery task for each of these queues that calls `run(id)`."""

    def serve(stage_id: str) -> None:
        run(stage_id)

    for queue in queues:
        app.task(serve, name=task_name(queue), max_retries=3, default_retry_delay=5)


def run_stages(run: Callable[[str, str | None], str | None], stage_id: str, *, stopping: Callable[[], bool]) -> None:
    """Handle a message: run a stage, and then the next best ones without waiting for their messages.

    `run` takes a stage id and the assessment just worked on, and returns the assessment that it worked on, or None when
    there was nothing to claim. Ends after `MAX_RUN_SECONDS`, between two stages.
    """
    deadline = monotonic() + MAX_RUN_SECONDS
    worked_on = run(stage_id, None)
    while worked_on is not None and not stopping() and monotonic() < deadline:
        # The message's own stage is offered each time: the first run may have preferred another one (decision 0031).
        worked_on = run(stage_id, worked_on)


def stop_requested() -> bool:
    """Whether a signal has told this worker to stop. Celery's flags hold exit statuses, so 0 counts as set."""
    flags = (state.should_stop, state.should_terminate)
    return any(flag is not None and flag is not False for flag in flags)
