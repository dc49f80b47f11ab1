"""How many requests there are and how long they take, by route; ASGI middleware."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_id import PROBE_PATHS, method_of, route_of
from service.observability.metrics import ACTIVE_REQUESTS, REQUEST_DURATION

NO_RESPONSE = "none"
"""Instead of a status, where the client had gone before there was one."""


class MetricsMiddleware:
    """Counts each request but those for the health of the process, to the end of its answer, streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in PROBE_PATHS:
            await self._app(scope, receive, send)
            return
        started, method, status = perf_counter(), method_of(scope), NO_RESPONSE

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        active = ACTIVE_REQUESTS.labels(method)
        active.inc()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            active.dec()
            REQUEST_DURATION.labels(method, route_of(scope), status).observe(perf_counter() - started)
