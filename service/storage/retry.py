"""Holding on while something the service needs is away, so that work already done is not thrown away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.errors.unavailable import StorageUnavailable
from service.observability.logs import failure_fields

log = structlog.stdlib.get_logger(__name__)
UNAVAILABLE = (DBAPIError, PoolTimeout, StorageUnavailable)
"""What a database or object store raises that does not answer, or has no room: not the fault of any stage."""
RETRY_INTERVAL_SECONDS = 1.0

Answer = TypeVar("Answer")


def retry_while_unavailable(action: Callable[[], Answer], within: timedelta) -> Answer:
    """The action's answer, tried again until it has one or `within` has passed; then raises what it raised.

    An action may have been done and only its answer lost: so it must be guarded by a fence.
    """
    deadline = monotonic() + within.total_seconds()
    while True:
        try:
            return action()
        except UNAVAILABLE as error:
            if monotonic() >= deadline:
                raise
            log.warning("holding on", **failure_fields(error))
            sleep(RETRY_INTERVAL_SECONDS)
