"""Renew a lease from a thread while a request is handled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from service.observability.logs import failure_fields

log = structlog.stdlib.get_logger(__name__)
RENEWALS_PER_LEASE = 3  # a renewal that fails is repeated before the lease expires


@asynccontextmanager
async def renew_lease(renew: Callable[[], bool], lease: timedelta) -> AsyncIterator[None]:
    """Call `renew` from a thread, RENEWALS_PER_LEASE times per lease, until the block ends or it returns False."""
    task = asyncio.create_task(_renew_until_lost(renew, lease.total_seconds() / RENEWALS_PER_LEASE))
    try:
        yield
    finally:
        task.cancel()
        # Awaited, so that no renewal is started after the lease has been released.
        with suppress(asyncio.CancelledError):
            await task


async def _renew_until_lost(renew: Callable[[], bool], pause: float) -> None:
    held = True
    while held:
        await asyncio.sleep(pause)
        try:
            held = await run_in_threadpool(renew)
        except SQLAlchemyError as error:  # the next renewal may succeed before the lease expires
            log.warning("lease not renewed", **failure_fields(error))
