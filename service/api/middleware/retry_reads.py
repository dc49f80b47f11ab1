"""A reading request whose database connection broke in the middle is answered by a second try.

It has changed nothing and the client has seen nothing of it; the second try waits for the database as any request does.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.error_handlers import CONNECTION_LOST

SAFE_METHODS = ("GET", "HEAD")


class RetryReadsMiddleware:
    """ASGI middleware: drops the answer that tells of a lost connection, idempotency, and asks again."""

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
            await self._app(scope, receive, send)
