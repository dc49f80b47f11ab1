"""Every request has an id: the client's own if it is harmless, else a new one; it is in every log line."""

from __future__ import annotations

import re
import uuid
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.error_handlers import problem_response
from service.errors.tree import InternalError
from service.observability.logs import failure_fields

log = structlog.stdlib.get_logger(__name__)
CLIENT_ID_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
PROBE_PATHS = ("/livez", "/readyz", "/healthz")
API_PREFIX = "/v1"
UNKNOWN_ROUTE = "unknown"
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER_METHOD = "_OTHER"
"""What OpenTelemetry calls every method that is none of the known ones."""


class RequestIdMiddleware:
    """ASGI middleware: request id in and out, one log line a request, and no exception leaves it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        started = perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                log.error("request failed", **failure_fields(error))
                if not status:
                    response = problem_response(Request(scope), InternalError("An unexpected error happened."))
                    await response(scope, receive, send_with_id)
            if scope["path"] not in PROBE_PATHS:
                _log_request(scope, status, perf_counter() - started)


def route_of(scope: Scope) -> str:
    """The template of the route that took the request; nothing that the client wrote."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return UNKNOWN_ROUTE
    # A route knows nothing of the router that it is part of.
    under = scope["path"].startswith(f"{API_PREFIX}/") and not path.startswith(f"{API_PREFIX}/")
    return f"{API_PREFIX}{path}" if under else path


def method_of(scope: Scope) -> str:
    """The method of a request, or the word for one that does not exist."""
    return scope["method"] if scope["method"] in KNOWN_METHODS else OTHER_METHOD


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if CLIENT_ID_PATTERN.fullmatch(given) else str(uuid.uuid4())


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    log.info(
        "request",
        method=method_of(scope),
        route=route_of(scope),
        status=status,
        milliseconds=round(1000 * seconds, 1),
    )
