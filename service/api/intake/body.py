"""Read a request body with a timeout between its chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from starlette.requests import Request

from service.errors.request import BodyStalled


async def read_body(request: Request, timeout: timedelta) -> AsyncIterator[bytes]:
    """The body as it comes. Raises BodyStalled when nothing came for so long, ClientDisconnect."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BodyStalled("The rest of the request did not come in time.") from None
        if chunk:
            yield chunk
