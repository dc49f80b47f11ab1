"""Starting a worker process from a command line, whatever assessor it works with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from service.errors import ConfigurationRefused
from service.observability import configure_logging
from service.settings import Settings
from service.task_queue.doorbell import STAGE_QUEUES
from service.worker.assessor import Assessor
from service.worker.process import run_worker
from service.worker.tether import tie_to_parent


def start_worker(
    settings: Settings, queues: str, parent_pid: int | None, open_assessor: Callable[[Settings], Assessor]
) -> int:
    """Run a worker for comma-separated queues; returns an exit status that tells when restarting is useless."""
    if parent_pid is not None:
        tie_to_parent(parent_pid)
    configure_logging("worker")
    try:
        return run_worker(settings, known_queues(queues), open_assessor)
    except ConfigurationRefused as error:
        sys.stderr.write(f"{error.detail}\n")
        return os.EX_CONFIG


def known_queues(names: str) -> tuple[str, ...]:
    """The queues that a comma-separated list names. Raises ConfigurationRefused."""
    queues = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in queues if name not in STAGE_QUEUES]
    if unknown or not queues:
        raise ConfigurationRefused(f"Unknown queues; choose from {', '.join(STAGE_QUEUES)}.")
    return queues
