"""The HTTP application: routers, errors and correlation put together."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from service.api.correlation import Correlation
from service.api.dependencies import Parts, authenticated
from service.api.error_handlers import install_error_handlers
from service.api.openapi import describe
from service.api.routes import assessments, batches, events, health, models, uploads, webhooks
from service.api.watching import Watcher
from service.auth.keys import KeyRing
from service.auth.peppers import load_peppers
from service.jobs.admission import Admission, bounds
from service.jobs.outlook import Outlook
from service.jobs.result import NOTICE
from service.jobs.sweeper import Sweeper, sweep_plan
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import open_objects
from service.task_queue.doorbell import Doorbell, open_celery


def create_app(settings: Settings) -> FastAPI:
    """The application; its parts are opened when it starts and closed when it ends."""
    app = FastAPI(
        title="HILBERT",
        version=_version(),
        summary="A calibrated, explained risk estimate from a long recording and its transcript.",
        description=NOTICE,
        lifespan=_lifespan(settings),
        redoc_url=None,
    )
    app.add_middleware(Correlation)
    install_error_handlers(app)
    app.include_router(health.router)
    guarded = APIRouter(prefix="/v1", dependencies=[Depends(authenticated)])
    guarded.include_router(assessments.router)
    guarded.include_router(batches.router)
    guarded.include_router(events.router)
    guarded.include_router(models.router)
    guarded.include_router(uploads.router)
    guarded.include_router(webhooks.router)
    app.include_router(guarded)
    app.openapi = describe(app)  # type: ignore[method-assign]
    return app


def open_parts(settings: Settings) -> Parts:
    """Open everything an API process needs. The database must have been migrated."""
    database = Database(settings.database)
    objects = open_objects(settings)
    doorbell = Doorbell(open_celery(settings.broker, settings.visibility))
    outlook = Outlook(database, settings.silence)
    owner = f"api-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return Parts(
        settings=settings,
        database=database,
        objects=objects,
        doorbell=doorbell,
        sweeper=Sweeper(database, objects, doorbell, sweep_plan(settings), owner),
        keys=KeyRing(database, load_peppers(settings)),
        outlook=outlook,
        admission=Admission(database, outlook, bounds(settings)),
        watcher=Watcher(database, outlook),
    )


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = await run_in_threadpool(open_parts, settings)
        app.state.parts = parts
        parts.sweeper.start()
        try:
            yield
        finally:
            parts.watcher.close()
            await run_in_threadpool(parts.sweeper.stop)
            parts.doorbell.close()
            parts.database.close()

    return lifespan


def _version() -> str:
    try:
        return version("hilbert-service")
    except PackageNotFoundError:
        return "0.0.0"
