"""The heartbeat of a worker: a row for readiness, admission and the sweeper, and a file for container health checks."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.observability.logs import failure_fields
from service.observability.metrics import WORKER_BEAT
from service.periodic_thread import PeriodicThread
from service.storage.database import Database
from service.worker_registry import LoadedModel, WorkerIdentity, deregister, record_heartbeat, register

log = structlog.stdlib.get_logger(__name__)


class Heartbeat:
    """Registers a worker once its model is warm, records a heartbeat every `interval`, and deregisters it at the end.

    `file` is touched after each heartbeat that the database has accepted, so a health check only has to read its
    modification time and needs no connection of its own.
    """

    def __init__(
        self, database: Database, worker: WorkerIdentity, model: LoadedModel | None, *, interval: timedelta, file: Path
    ) -> None:
        self._database = database
        self._worker = worker
        self._model = model
        self._file = file
        self._forward = threading.Event()
        # A thread of its own, because a worker with the solo pool computes in its main thread.
        self._thread = PeriodicThread("heartbeat", self._record, interval)

    def start(self) -> None:
        """Register the worker, then record heartbeats. Raises SQLAlchemyError when the worker cannot be registered."""
        with self._database.writing() as session:
            register(session, self._worker, self._model)
        WORKER_BEAT.set_to_current_time()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()
        self._thread.start()

    def computed(self) -> None:
        """Note that the model has done a forward pass; the next heartbeat records it."""
        self._forward.set()

    def stop(self) -> None:
        """Stop the heartbeat and deregister the worker."""
        self._thread.stop()
        self._file.unlink(missing_ok=True)
        try:
            with self._database.writing() as session:
                deregister(session, self._worker)
        except SQLAlchemyError as error:
            # Not fatal: without heartbeats the row counts as dead after the worker timeout.
            log.warning("worker could not deregister", **failure_fields(error))

    def _record(self) -> None:
        forward = self._forward.is_set()
        self._forward.clear()
        try:
            with self._database.writing() as session:
                record_heartbeat(session, self._worker, self._model, forward=forward)
            WORKER_BEAT.set_to_current_time()
            self._file.touch()
        except (SQLAlchemyError, OSError) as error:
            # Not raised: an exception ends the thread, and a worker that still works would count as dead.
            log.warning("heartbeat failed", **failure_fields(error))
