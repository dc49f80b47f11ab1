"""The HTTP server: uvicorn, which drains before it stops, and then waits for answers under way."""

from __future__ import annotations

import asyncio
import signal
import socket
from math import ceil
from time import monotonic
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from service.api.dependencies import Components
from service.settings import Settings

log = structlog.stdlib.get_logger(__name__)
TICK_SECONDS = 0.1
LATE_REQUEST_SECONDS = 1.0
"""Whoever was let in at the last moment sends its request within this."""


class Server(uvicorn.Server):
    """Stops without a request that fails.

    SIGTERM: for `drain` the process takes requests as before, but `/readyz` sends load balancers away and every answer
    closes its connection, so that none is left idle. Then it takes no more. Whatever follows assessments is ended, for
    it would not end by itself; what else is under way has `finish` to end. SIGINT does not drain, and a second signal
    ends the process at idempotency.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=ceil(settings.shutdown_timeout.total_seconds()),
            )
        )
        self._app = app
        self._drain_seconds = settings.drain_delay.total_seconds()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal."""
        if self.should_exit:
            self.force_exit = True
        if sig == signal.SIGINT:
            self._drain_seconds = 0.0
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        components = getattr(self._app.state, "components", None)
        if isinstance(components, Components):
            components.readiness.drain()
            await self._drain()
            await self._stop_accepting(sockets or [])
            components.change_feed.close()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        self.config.encoded_headers = [*self.config.encoded_headers, (b"connection", b"close")]
        log.info("draining", seconds=self._drain_seconds)
        ends = monotonic() + self._drain_seconds
        while monotonic() < ends and not self.force_exit:
            await self.on_tick(0)  # which gives every new answer its headers
            await asyncio.sleep(TICK_SECONDS)

    async def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        """Take no more connections, and let those answer that came in just before: they may not have asked yet."""
        if not self._drain_seconds or self.force_exit:
            return
        await asyncio.sleep(0)  # who is waiting at the door comes in first
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        await asyncio.sleep(LATE_REQUEST_SECONDS)
