"""Read a request body in chunks with a timeout, and the digests that an Idempotency-Key is compared by."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

from starlette.requests import Request

from service.errors.request import BodyStalled, TooLarge


async def read_body(request: Request, timeout: timedelta) -> AsyncIterator[bytes]:
    """The chunks of the body as they arrive, without empty ones.

    Raises BodyStalled when no chunk arrives for `timeout`, and ClientDisconnect when the connection ends.
    """
    chunks = request.stream()
    while True:
        try:
            # Each chunk has its own timeout: a large body over a slow line may take longer than any fixed total.
            async with asyncio.timeout(timeout.total_seconds()):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BodyStalled("The rest of the request body did not arrive in time.") from None
        if chunk:
            yield chunk


def refuse_oversized(request: Request, limit: int, what: str) -> None:
    """Raises TooLarge when Content-Length exceeds `limit` bytes, before any of the body is read."""
    announced = request.headers.get("content-length", "")
    # The server has parsed it, so it has no thousands of digits.
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise TooLarge(f"The {what} is larger than {limit} bytes.")


def json_digest(content: bytes) -> str:
    """SHA-256 of a JSON body in canonical form, so that spaces and the order of fields do not matter."""
    with suppress(ValueError, RecursionError):  # a body that is not JSON is digested as its bytes
        content = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(content).hexdigest()
