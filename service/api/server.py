"""The HTTP server: uvicorn with a drain phase before its graceful shutdown."""

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
"""A connection that was accepted last has this long to send its request."""


class Server(uvicorn.Server):
    """Stops without failing a request.

    On SIGTERM the process serves requests for the drain delay, while `/readyz` reports it as not ready and every
    response closes its connection, so that no idle connection is left. Then it accepts no more connections, ends the
    event streams, which would not end by themselves, and gives other requests the shutdown timeout. SIGINT skips the
    drain delay, and a second signal ends the process at once.
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
        """Handle a signal: SIGINT skips the drain delay, a second signal forces the exit."""
        if self.should_exit:
            self.force_exit = True
        if sig == signal.SIGINT:
            self._drain_seconds = 0.0
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, stop accepting, end event streams, then shut down gracefully."""
        components = getattr(self._app.state, "components", None)
        # A process whose startup failed has none.
        if isinstance(components, Components):
            components.readiness.drain()
            await self._drain()
            await self._stop_accepting(sockets or [])
            # Before uvicorn shuts down, which would wait for the streams (decision 0028).
            components.change_feed.close()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        self.config.encoded_headers = [*self.config.encoded_headers, (b"connection", b"close")]
        log.info("draining", seconds=self._drain_seconds)
        ends = monotonic() + self._drain_seconds
        while monotonic() < ends and not self.force_exit:
            await self.on_tick(0)  # renews the default headers, so that responses carry `Connection: close`
            await asyncio.sleep(TICK_SECONDS)

    async def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        """Close the listeners, and wait for requests on connections that were accepted just before."""
        # Without a drain there is no load balancer in front whose requests could come late (decision 0039).
        if not self._drain_seconds or self.force_exit:
            return
        await asyncio.sleep(0)  # connections that wait in the backlog are accepted first
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        await asyncio.sleep(LATE_REQUEST_SECONDS)
