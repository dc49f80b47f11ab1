"""Whether this process takes requests: what a load balancer asks, of each process by itself.

Parts that all processes share (the queue, workers, a database that restarts) do not count: were they to, every process
would be taken out at idempotency, and nobody would be left to say what is missing.
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
    """Ready idempotency the database has been met with the tables this code needs, until the process begins to stop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._database_ready = threading.Event()
        self._draining = False
        interval = timedelta(seconds=RETRY_SECONDS)
        self._thread = PeriodicThread(
            "readiness", self._look, interval, run_at_start=True, join_timeout=timedelta(seconds=5)
        )

    def start(self) -> None:
        """Look for the database, until it is there."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait for the thread."""
        self._thread.stop()

    def drain(self) -> None:
        """From now on the process sends load balancers away; it still answers whoever comes."""
        self._draining = True

    def missing(self) -> list[FieldProblem]:
        """Why it is not ready; looks at nothing outside the process."""
        if self._draining:
            return [FieldProblem(location="process", reason="is stopping")]
        if not self._database_ready.is_set():
            return [FieldProblem(location="database", reason="was not met yet with the tables that this version needs")]
        return []

    def _look(self) -> bool:
        """Look for the database once; True, which ends the thread, when it has been met."""
        try:
            if not is_behind(self._database):
                self._database_ready.set()
                return True
            log.warning("the database has not been migrated")
        except SQLAlchemyError as error:
            log.warning("the database does not answer", **failure_fields(error))
        return False
