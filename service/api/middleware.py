"""The ASGI middleware around every request: metrics, tracing, request id, and one retry of reads."""

from __future__ import annotations

import re
import uuid
from time import perf_counter

import structlog
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.error_handlers import CONNECTION_LOST, problem_response
from service.errors.tree import InternalError
from service.observability.logs import failure_fields
from service.observability.metrics import ACTIVE_REQUESTS, REQUEST_DURATION
from service.observability.traces import HEADER, context_from, mark_failed, span

log = structlog.stdlib.get_logger(__name__)
CLIENT_ID_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
PROBE_PATHS = ("/livez", "/readyz", "/healthz")
API_PREFIX = "/v1"
UNKNOWN_ROUTE = "unknown"
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's name for every method that is not one of the known ones."""
SAFE_METHODS = ("GET", "HEAD")
NO_RESPONSE = "none"
"""The status label of a request whose client disconnected before the response began."""
SERVER_ERROR = 500


class MetricsMiddleware:
    """Counts and times every request except health probes, up to the end of its response, streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        # Probes come every few seconds from every load balancer and would outnumber the requests of clients.
        if scope["type"] != "http" or scope["path"] in PROBE_PATHS:
            await self._app(scope, receive, send)
            return
        started, method, status = perf_counter(), method_of(scope), NO_RESPONSE

        async def send_and_record(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        active = ACTIVE_REQUESTS.labels(method)
        active.inc()
        try:
            await self._app(scope, receive, send_and_record)
        finally:
            active.dec()
            REQUEST_DURATION.labels(method, route_of(scope), status).observe(perf_counter() - started)


class TracingMiddleware:
    """Opens a server span for each request except health probes; continues the client's trace if it sends one.

    The span holds method, route and status: no address, no path and no header of the client.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in PROBE_PATHS:
            await self._app(scope, receive, send)
            return
        method = method_of(scope)
        parent = context_from(Headers(scope=scope).get(HEADER))
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with span(method, kind=SpanKind.SERVER, parent=parent, attributes=attributes) as request_span:

            async def send_and_record(message: Message) -> None:
                if message["type"] == "http.response.start":
                    request_span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= SERVER_ERROR:
                        mark_failed(request_span, str(message["status"]))
                await send(message)

            try:
                await self._app(scope, receive, send_and_record)
            finally:
                # The router sets the route only while it handles the request, so the span is named at the end.
                route = route_of(scope)
                request_span.set_attribute("http.route", route)
                request_span.update_name(f"{method} {route}")


class RequestIdMiddleware:
    """Gives every request an id, writes one log line for each, and lets no exception escape.

    The client's own `X-Request-ID` is used when it matches CLIENT_ID_PATTERN, because the id goes into every log line.
    """

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
                # Once the response has begun its status is sent and cannot be replaced by a problem.
                if not status:
                    response = problem_response(Request(scope), InternalError("An unexpected error happened."))
                    await response(scope, receive, send_with_id)
            if scope["path"] not in PROBE_PATHS:
                _log_request(scope, status, perf_counter() - started)


class RetryReadsMiddleware:
    """Repeats a GET or HEAD once when the database connection broke while it was handled.

    A read has changed nothing, and the response that reports the lost connection is dropped before it reaches the
    client. The second attempt waits for the database as any request does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_unless_lost(message: Message) -> None:
            if not state.get(CONNECTION_LOST):
                await send(message)

        await self._app(scope, receive, send_unless_lost)
        if state.pop(CONNECTION_LOST, False):
            # These methods have no body, so the same `receive` serves the second attempt.
            await self._app(scope, receive, send)


def route_of(scope: Scope) -> str:
    """The template of the matched route, so that metrics and logs hold nothing that the client wrote."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return UNKNOWN_ROUTE
    # FastAPI stores the path of a route without the prefix of the router that includes it.
    under_prefix = scope["path"].startswith(f"{API_PREFIX}/") and not path.startswith(f"{API_PREFIX}/")
    return f"{API_PREFIX}{path}" if under_prefix else path


def method_of(scope: Scope) -> str:
    """The request's method, or OTHER_METHOD: an unbounded label would let a client create metric series."""
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
