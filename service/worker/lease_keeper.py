"""Keeping a claimed stage ours while it is worked on, and noticing when it no longer is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.assessments.stages import StageRepository
from service.assessments.states import StageClaim
from service.errors.tree import FenceLost
from service.observability.logs import failure_fields
from service.storage.database import Database

log = structlog.stdlib.get_logger(__name__)
LOOK_EVERY_SECONDS = 1.0
"""A cancelled stage ends within the batch in hand, without as many writes."""


class LeaseKeeper:
    """Renews a claim from a thread while the block runs; one query renews and brings back a cancellation."""

    def __init__(
        self, database: Database, claim: StageClaim, *, worker: str, lease: timedelta, heartbeat: timedelta
    ) -> None:
        self._database = database
        self._claim = claim
        self._worker = worker
        self._lease = lease
        self._heartbeat = heartbeat
        self._done = threading.Event()
        self._lost = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        present = copy_context()  # so that its lines in the log name the stage as well
        self._thread = threading.Thread(target=present.run, args=(self._run,), name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raise FenceLost when the stage was cancelled or taken over: there is no use in going on."""
        if self._lost.is_set():
            raise FenceLost("The stage was cancelled or taken over.")

    def when_lost(self, listener: Callable[[], None]) -> None:
        """Call the listener, from the keeper's thread, once the stage is lost; at once when it is already."""
        with self._lock:
            lost = self._lost.is_set()
            if not lost:
                self._listeners.append(listener)
        if lost:
            listener()

    def _run(self) -> None:
        heartbeat = self._heartbeat.total_seconds()
        due = monotonic() + heartbeat
        while not self._done.wait(min(LOOK_EVERY_SECONDS, heartbeat)):
            renewing = monotonic() >= due
            try:
                held = self._renew() if renewing else self._look()
            except SQLAlchemyError as error:
                log.warning("lease not renewed", **failure_fields(error))
                continue
            if renewing:
                due = monotonic() + heartbeat
            if not held:
                self._lose()
                return

    def _renew(self) -> bool:
        with self._database.writing() as session:
            return StageRepository(session, self._worker).renew(self._claim, self._lease)

    def _look(self) -> bool:
        with self._database.reading() as session:
            return StageRepository(session, self._worker).is_held(self._claim)

    def _lose(self) -> None:
        with self._lock:
            self._lost.set()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
