"""Readiness of this process for a load balancer.

Shared dependencies (the queue, the workers, a database that restarts) do not count: if they did, the load balancer
would remove every process at once, and no process would be left to answer with the reason.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.errors.tree import FieldProblem
from service.observability.logs import failure_fields
from service.periodic_thread import PeriodicThread
from service.storage.database import Database
from service.storage.migration import is_behind

log = structlog.stdlib.get_logger(__name__)
RETRY_SECONDS = 0.5


class Readiness:
    """Ready from the first time that the database has the schema this code needs, until the process starts to stop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._database_ready = threading.Event()
        self._draining = False
        interval = timedelta(seconds=RETRY_SECONDS)
        self._thread = PeriodicThread(
            "readiness", self._check, interval, run_at_start=True, join_timeout=timedelta(seconds=5)
        )

    def start(self) -> None:
        """Start to check the database, until it has the schema."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._thread.stop()

    def drain(self) -> None:
        """Report the process as not ready from now on; it still answers requests."""
        self._draining = True

    def missing(self) -> list[FieldProblem]:
        """The reasons why the process is not ready; checks nothing outside the process."""
        if self._draining:
            return [FieldProblem(location="process", reason="is stopping")]
        if not self._database_ready.is_set():
            return [FieldProblem(location="database", reason="was not seen with the tables that this version needs")]
        return []

    def _check(self) -> bool:
        """Check the database once; True, which ends the thread, when it has the schema."""
        try:
            if not is_behind(self._database):
                self._database_ready.set()
                return True
            log.warning("the database has not been migrated")
        except SQLAlchemyError as error:
            log.warning("the database does not answer", **failure_fields(error))
        return False
