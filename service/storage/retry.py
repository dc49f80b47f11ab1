"""Retries with a deadline, a pause between attempts and jitter: the one loop of its kind in the service.

An attempt may have succeeded although its answer was lost. So a retried action is idempotent or guarded by a fence.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
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
"""Errors of a database or object store that does not answer or has no room. They are never the fault of a stage."""
RETRY_INTERVAL_SECONDS = 1.0
RANDOM = random.SystemRandom()
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTerms:
    """How long to retry, and how many seconds to pause between attempts.

    `jitter` spreads each pause by that share in both directions, so that many processes do not come back at once.
    A `timeout` of zero allows a single attempt.
    """

    timeout: timedelta
    interval: float
    jitter: float = 0.0

    def pause(self) -> float:
        """Seconds until the next attempt."""
        return self.interval * RANDOM.uniform(1 - self.jitter, 1 + self.jitter)


def retry(
    action: Callable[[], Value],
    terms: RetryTerms,
    is_retryable: Callable[[Exception], bool],
    on_retry: Callable[[Exception], None] | None = None,
) -> Value:
    """The action's value, from the first attempt that succeeds; `on_retry` is called before each pause.

    Raises the action's error when it is not retryable, or when the timeout is over before that attempt has ended.
    """
    deadline = monotonic() + terms.timeout.total_seconds()
    while True:
        try:
            return action()
        except Exception as error:
            if not is_retryable(error) or monotonic() >= deadline:
                raise
            if on_retry is not None:
                on_retry(error)
        # Outside of the handler: the error holds the action's frames, and so its rows and buffers, until it is dropped.
        sleep(terms.pause())


def retry_while_unavailable(action: Callable[[], Value], timeout: timedelta) -> Value:
    """Retry while the database or object store is unavailable, so that computed work is not thrown away."""
    terms = RetryTerms(timeout=timeout, interval=RETRY_INTERVAL_SECONDS)
    return retry(action, terms, lambda error: isinstance(error, UNAVAILABLE), _log_retry)


def _log_retry(error: Exception) -> None:
    log.warning("storage unavailable: retrying", **failure_fields(error))
