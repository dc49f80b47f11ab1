"""Start of a worker process from the command line, for any model that fits the protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from service.errors.tree import ConfigurationRefused
from service.observability.exposition import metrics_server
from service.observability.logs import configure_logging
from service.observability.traces import tracing
from service.settings import Settings
from service.task_queue.publisher import DELIVER, QUEUES
from service.worker.model_protocol import AssessmentModel
from service.worker.parent_death import exit_with_parent
from service.worker.process import run_worker
from service.worker.webhooks.process import run_webhook_worker


def start_worker(
    settings: Settings, queues: str, parent_pid: int | None, open_model: Callable[[Settings], AssessmentModel]
) -> int:
    """Run a worker for comma-separated queues; returns its exit status, EX_CONFIG when a restart would not help."""
    if parent_pid is not None:
        exit_with_parent(parent_pid)
    configure_logging("worker")
    try:
        names = known_queues(queues)
        with tracing(settings, "worker"), metrics_server(settings) as exposition:
            if names == (DELIVER,):
                return run_webhook_worker(settings)
            return run_worker(settings, names, open_model, exposition)
    except ConfigurationRefused as error:
        sys.stderr.write(f"{error.detail}\n")
        return os.EX_CONFIG


def known_queues(names: str) -> tuple[str, ...]:
    """The queues of a comma-separated list. Raises ConfigurationRefused."""
    queues = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in queues if name not in QUEUES]
    if unknown or not queues:
        raise ConfigurationRefused(f"Unknown queues; choose from {', '.join(QUEUES)}.")
    if DELIVER in queues and len(queues) > 1:
        raise ConfigurationRefused(
            f"The queue `{DELIVER}` needs a worker of its own, without a model: start one with "
            f"`--queues {DELIVER}`, and another one for the other queues."
        )
    return queues
