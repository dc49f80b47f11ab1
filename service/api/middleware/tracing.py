"""A span for each request, below the client's own where it sends one; ASGI middleware."""

from __future__ import annotations

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_id import PROBE_PATHS, method_of, route_of
from service.observability.traces import HEADER, context_from, mark_failed, span

SERVER_ERROR = 500


class TracingMiddleware:
    """Of a request: its method, its route and its status; no address, no path, no header."""

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
        with span(method, kind=SpanKind.SERVER, parent=parent, attributes=attributes) as present:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    present.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= SERVER_ERROR:
                        mark_failed(present, str(message["status"]))
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                route = route_of(scope)
                present.set_attribute("http.route", route)
                present.update_name(f"{method} {route}")
