"""A worker's sign of life, in the database and as a file: for readiness the one, for a container's health the other."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.observability.logs import failure_fields
from service.observability.metrics import WORKER_BEAT
from service.storage.database import Database
from service.worker_registry import LoadedModel, WorkerIdentity, deregister, record_heartbeat, register

log = structlog.stdlib.get_logger(__name__)


class Heartbeat:
    """Registers a worker whose model has been warmed up, and beats until it leaves.

    The file `alive` is touched whenever the database has taken a beat: to look at it costs a health check nothing.
    """

    def __init__(
        self, database: Database, worker: WorkerIdentity, model: LoadedModel | None, *, interval: timedelta, file: Path
    ) -> None:
        self._database = database
        self._worker = worker
        self._model = model
        self._interval = interval
        self._file = file
        self._forward = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Register, then beat from a thread: a solo worker computes in its main one."""
        with self._database.writing() as session:
            register(session, self._worker, self._model)
        WORKER_BEAT.set_to_current_time()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()
        self._thread.start()

    def computed(self) -> None:
        """The model has just done real work."""
        self._forward.set()

    def stop(self) -> None:
        """Leave."""
        self._done.set()
        self._thread.join()
        self._file.unlink(missing_ok=True)
        try:
            with self._database.writing() as session:
                deregister(session, self._worker)
        except SQLAlchemyError as error:
            log.warning("worker could not sign off", **failure_fields(error))

    def _run(self) -> None:
        while not self._done.wait(self._interval.total_seconds()):
            forward = self._forward.is_set()
            self._forward.clear()
            try:
                with self._database.writing() as session:
                    record_heartbeat(session, self._worker, self._model, forward=forward)
                WORKER_BEAT.set_to_current_time()
                self._file.touch()
            except (SQLAlchemyError, OSError) as error:
                log.warning("heartbeat failed", **failure_fields(error))
