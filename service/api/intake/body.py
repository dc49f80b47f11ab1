"""Read a request body with a timeout between its chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from starlette.requests import Request

from service.errors.request import BodyStalled

log = structlog.stdlib.get_logger(__name__)


async def body_of(request: Request, patience: timedelta) -> AsyncIterator[bytes]:
    """The body as it comes. Raises BodyStalled when nothing came for so long, ClientDisconnect."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(patience.total_seconds()):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BodyStalled("The rest of the request did not come in time.") from None
        if chunk:
            yield chunk
