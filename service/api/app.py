"""The HTTP application: routers, error handlers and middleware."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool

from service.admission.admission import AdmissionController, admission_limits
from service.admission.queue_position import QueuePositions
from service.api.change_feed import ChangeFeed
from service.api.dependencies import Components, authenticated
from service.api.error_handlers import install_error_handlers
from service.api.middleware import (
    API_PREFIX,
    MetricsMiddleware,
    RequestIdMiddleware,
    RetryReadsMiddleware,
    TracingMiddleware,
)
from service.api.openapi.problems import extend_openapi
from service.api.queue_metrics import QueueMetrics
from service.api.readiness import Readiness
from service.api.routes import assessments, batches, events, health, models, uploads, webhooks
from service.assessments.result import NOTICE
from service.auth.keys import ApiKeyRepository, load_peppers
from service.maintenance.sweeper import Sweeper, sweep_plan
from service.observability.exposition import MetricsServer
from service.observability.traces import tracing
from service.observability.version import service_version
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import open_objects
from service.task_queue.publisher import TaskPublisher, open_celery

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own telemetry is on by default and would write paths, queries and error messages to spans and logs."""


def create_app(settings: Settings, exposition: MetricsServer | None = None) -> FastAPI:
    """The application. Its components are opened on startup and closed on shutdown.

    Between the two, the queue metrics are part of the exposition.
    """
    app = FastAPI(
        title="HILBERT",
        version=service_version(),
        summary="A calibrated, explained risk estimate from a long recording and its transcript.",
        description=NOTICE,
        lifespan=_lifespan(settings, exposition or MetricsServer(settings.metrics_host, None)),
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    for middleware in (
        RetryReadsMiddleware,
        RequestIdMiddleware,
        TracingMiddleware,
        MetricsMiddleware,
    ):  # the middleware added last is the outermost
        app.add_middleware(middleware)
    install_error_handlers(app)
    app.include_router(health.router)
    guarded = APIRouter(prefix=API_PREFIX, dependencies=[Depends(authenticated)])
    guarded.include_router(assessments.router)
    guarded.include_router(batches.router)
    guarded.include_router(events.router)
    guarded.include_router(models.router)
    guarded.include_router(uploads.router)
    guarded.include_router(webhooks.router)
    app.include_router(guarded)
    app.openapi = extend_openapi(app)  # type: ignore[method-assign]
    return app


def open_components(settings: Settings) -> Components:
    """Open everything that an API process needs; the database must have been migrated."""
    database = Database(settings.database, settings.database_retry_timeout)
    objects = open_objects(settings)
    publisher = TaskPublisher(open_celery(settings.broker, settings.broker_visibility_timeout))
    queue_positions = QueuePositions(database, settings.worker_timeout)
    owner = f"api-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return Components(
        settings=settings,
        database=database,
        objects=objects,
        publisher=publisher,
        sweeper=Sweeper(database, objects, publisher, sweep_plan(settings), owner),
        api_keys=ApiKeyRepository(database, load_peppers(settings)),
        queue_positions=queue_positions,
        admission=AdmissionController(database, queue_positions, admission_limits(settings)),
        change_feed=ChangeFeed(database, queue_positions),
        readiness=Readiness(database),
    )


def _lifespan(settings: Settings, exposition: MetricsServer) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with tracing(settings, "api"):  # here, because uvicorn ends the process by its signal after the lifespan
            components = await run_in_threadpool(open_components, settings)
            app.state.components = components
            components.sweeper.start()
            components.readiness.start()
            try:
                with exposition.collecting(QueueMetrics(components)):
                    yield
            finally:
                components.change_feed.close()
                await run_in_threadpool(components.readiness.stop)
                await run_in_threadpool(components.sweeper.stop)
                components.publisher.close()
                components.database.close()

    return lifespan
