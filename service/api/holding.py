"""While a request is at work: its lease is renewed, and it must not fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from service.observability.logs import failure_fields
from service.refusals import BodyStalled

log = structlog.stdlib.get_logger(__name__)
RENEWALS = 3  # in the time of a lease


@asynccontextmanager
async def renewing(renew: Callable[[], bool], lease: timedelta) -> AsyncIterator[None]:
    """Call `renew` from a thread, three times in a lease, until the block ends or it says False."""
    task = asyncio.create_task(_renew(renew, lease.total_seconds() / RENEWALS))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


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


async def _renew(renew: Callable[[], bool], pause: float) -> None:
    held = True
    while held:
        await asyncio.sleep(pause)
        try:
            held = await run_in_threadpool(renew)
        except SQLAlchemyError as error:  # the database may answer before the lease has run out
            log.warning("lease not renewed", **failure_fields(error))
