"""Renewal of a stage's lease while the stage runs, and notification when the claim is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.assessments.stages import StageRepository
from service.assessments.states import StageClaim
from service.errors.tree import FenceLost
from service.observability.logs import failure_fields
from service.periodic_thread import PeriodicThread
from service.storage.database import Database

log = structlog.stdlib.get_logger(__name__)
CHECK_INTERVAL_SECONDS = 1.0
"""How often the claim is checked. A check only reads, so a cancellation stops a stage soon without a write a second."""


class LeaseKeeper:
    """Renews a claim from a thread while the block runs; the renewal also tells whether the claim still stands."""

    def __init__(
        self, database: Database, claim: StageClaim, *, worker: str, lease: timedelta, renew_interval: timedelta
    ) -> None:
        self._database = database
        self._claim = claim
        self._worker = worker
        self._lease = lease
        self._renew_interval = renew_interval.total_seconds()
        self._renew_at = 0.0
        self._lost = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        interval = timedelta(seconds=min(CHECK_INTERVAL_SECONDS, self._renew_interval))
        # The caller's context, so that the thread's log lines name the stage too.
        self._thread = PeriodicThread("lease", partial(copy_context().run, self._check_claim), interval)

    def __enter__(self) -> Self:
        self._renew_at = monotonic() + self._renew_interval
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.stop()

    def check(self) -> None:
        """Raise FenceLost when the stage was cancelled or claimed by another worker."""
        if self._lost.is_set():
            raise FenceLost("The stage was cancelled or taken over.")

    def on_lost(self, listener: Callable[[], None]) -> None:
        """Call the listener once the claim is lost, from the keeper's thread; at once when it is lost already."""
        # Tested and added under one lock: a loss in between would never reach the listener.
        with self._lock:
            lost = self._lost.is_set()
            if not lost:
                self._listeners.append(listener)
        if lost:
            listener()

    def _check_claim(self) -> bool:
        """Renew or check the claim; True, which ends the thread, when it is lost."""
        renewing = monotonic() >= self._renew_at
        try:
            held = self._renew() if renewing else self._holds()
        except SQLAlchemyError as error:
            # Without an answer the lease may still stand: the next run renews it, long before it expires.
            log.warning("lease not renewed", **failure_fields(error))
            return False
        if renewing:
            self._renew_at = monotonic() + self._renew_interval
        if not held:
            self._notify_lost()
        return not held

    def _renew(self) -> bool:
        with self._database.writing() as session:
            return StageRepository(session, self._worker).renew(self._claim, self._lease)

    def _holds(self) -> bool:
        with self._database.reading() as session:
            return StageRepository(session, self._worker).is_held(self._claim)

    def _notify_lost(self) -> None:
        # Listeners run outside of the lock: one of them may call `on_lost` or wait for another thread that does.
        with self._lock:
            self._lost.set()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
