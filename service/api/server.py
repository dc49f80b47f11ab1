"""The HTTP server: uvicorn, which waits for answers under way when it stops, with streams told to end first."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from service.api.dependencies import Parts
from service.settings import Settings

GRACE_SECONDS = 3


class Server(uvicorn.Server):
    """Ends whatever follows assessments as soon as it is told to stop; such answers would never end by themselves."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        parts = getattr(self._app.state, "parts", None)
        if isinstance(parts, Parts):
            parts.watcher.close()
        await super().shutdown(sockets)
