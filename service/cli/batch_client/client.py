"""HTTP with retries: connection errors and retryable statuses are repeated, all others are reported."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import httpx

from service.cli.batch_client.errors import BatchCommandError, busy, invalid_input, unreachable

MIN_WAIT = 0.5
RANDOM = random.SystemRandom()
MAX_WAIT = 30.0
RETRYABLE_STATUSES = (429, 502, 503, 504)
GONE_STATUSES = (404, 410)


class StopRequested(Exception):
    """The user stopped the command; raised in threads that wait or are about to send."""


class RetryBudget:
    """How long one operation is retried. A success resets the time and the back-off."""

    def __init__(self, within: timedelta, stop: threading.Event) -> None:
        self._within = within.total_seconds()
        self._stop = stop
        self._since: float | None = None
        self._wait = MIN_WAIT

    def reset(self) -> None:
        """Record a success."""
        self._since = None
        self._wait = MIN_WAIT

    def wait(self, answer: httpx.Response | None) -> None:
        """Wait before the next attempt, at least for Retry-After.

        Raises BatchCommandError after the retry timeout, StopRequested when the command is stopped.
        """
        moment = monotonic()
        self._since = moment if self._since is None else self._since
        if moment - self._since > self._within:
            if answer is None:
                raise unreachable("The service does not answer. Run the same command again to go on.")
            raise busy(f"The service keeps saying {answer.status_code}. Run the same command again to go on.")
        spread = self._wait * RANDOM.uniform(0.5, 1.0)
        self._wait = min(MAX_WAIT, 2 * self._wait)
        if self._stop.wait(max(spread, retry_after_seconds(answer))):
            raise StopRequested


class ServiceClient:
    """A client of one service with one key; may be used from several threads."""

    def __init__(self, url: str, key: str, *, retry_timeout: timedelta, stop: threading.Event) -> None:
        self._retry_timeout = retry_timeout
        self.stop = stop
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=httpx.Timeout(60, connect=10)
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def retry_budget(self) -> RetryBudget:
        """A retry budget for an operation of several requests."""
        return RetryBudget(self._retry_timeout, self.stop)

    def try_request(
        self, method: str, path: str, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response | None:
        """Send the request once; None without a response. Raises StopRequested."""
        if self.stop.is_set():
            raise StopRequested
        try:
            return self._http.request(method, path, headers=headers, content=content)
        except httpx.TransportError:
            return None

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """Send an idempotent request until the response is final. Raises BatchCommandError, StopRequested."""
        budget = self.retry_budget()
        while True:
            answer = self.try_request(method, path, headers, content)
            if answer is not None and not is_retryable(answer):
                return answer
            budget.wait(answer)

    def read_lines(self, path: str, each: Callable[[str], None]) -> None:
        """Call `each` with every line; after an interruption again from the first. Raises BatchCommandError."""
        budget = self.retry_budget()
        while True:
            answer: httpx.Response | None = None
            try:
                with self._http.stream("GET", path) as answer:
                    if not is_retryable(answer):
                        expect(answer, httpx.codes.OK)
                        for line in answer.iter_lines():
                            each(line)
                        return
            except httpx.TransportError:
                answer = None
            budget.wait(answer)


def expect(answer: httpx.Response, *statuses: int) -> httpx.Response:
    """The answer, if it has one of these statuses. Raises BatchCommandError with the problem of the service."""
    if answer.status_code in statuses:
        return answer
    answer.read()
    problem = describe_problem(answer)
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise BatchCommandError(f"{problem} HILBERT_CLIENT_API_KEY holds the key that is sent.", os.EX_NOPERM)
    if answer.is_server_error:
        raise BatchCommandError(problem, os.EX_SOFTWARE)
    raise invalid_input(problem)


def describe_problem(answer: httpx.Response) -> str:
    """The problem as one line for a person."""
    try:
        problem = answer.json()
        return f"{problem['detail']} {problem['advice']} ({problem['code']}, request {problem['request_id']})"
    except (ValueError, KeyError, TypeError):
        return f"The service answered {answer.status_code}, which this command does not understand."


def is_retryable(answer: httpx.Response) -> bool:
    """Whether the same request may succeed later; a conflict with Retry-After is a request still in flight."""
    return answer.status_code in RETRYABLE_STATUSES or (
        answer.status_code == httpx.codes.CONFLICT and "retry-after" in answer.headers
    )


def retry_after_seconds(answer: httpx.Response | None) -> float:
    """Seconds of Retry-After, at most 600; 0 without the header."""
    value = "" if answer is None else answer.headers.get("retry-after", "")
    return min(float(value), 600.0) if value.isdigit() else 0.0
