"""How a worker's encoders fare, in its log: at most once a minute, and when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import structlog

from service.worker.model_protocol import AssessmentModel

log = structlog.stdlib.get_logger(__name__)
REPORT_INTERVAL = timedelta(minutes=1)
DIGITS = 4


class LoadReport:
    """Counts and seconds since the start; nothing in them is of a recording."""

    def __init__(self, model: AssessmentModel, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock() + REPORT_INTERVAL.total_seconds()

    def stage_done(self) -> None:
        """Write when it is time again; from any thread."""
        with self._lock:
            if self._clock() < self._due:
                return
            self._due = self._clock() + REPORT_INTERVAL.total_seconds()
        self.write()

    def write(self) -> None:
        """One line for each encoder."""
        for load in self._model.load():
            log.info("encoder load", **{name: _rounded(value) for name, value in asdict(load).items()})


def _rounded(value: object) -> object:
    return round(value, DIGITS) if isinstance(value, float) else value
