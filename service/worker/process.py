"""One worker process: load and warm up the model, register, and consume stages until a signal ends it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import structlog
from celery import Celery
from celery.signals import setup_logging
from celery.worker import WorkController

from service.assessments.result import ModelTrace
from service.assessments.states import StageKind
from service.maintenance.sweeper import Sweeper, sweep_plan
from service.observability.exposition import MetricsServer
from service.observability.metrics import WORKER_READY
from service.queue.ordering import fetch_claimable
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.objects import open_objects
from service.task_queue.publisher import BrokerUnreachable, TaskPublisher, open_celery
from service.worker.consumer import register_tasks, run_stages, stop_requested
from service.worker.heartbeat import Heartbeat
from service.worker.metrics import BatcherMetrics, LoadReport
from service.worker.model_protocol import AssessmentModel
from service.worker.stage_runner import StageRunner, stage_retry_policy
from service.worker.watchdog import Watchdog, WatchdogLimits
from service.worker_registry import WorkerIdentity, live_workers, mark_dead

log = structlog.stdlib.get_logger(__name__)


def run_worker(
    settings: Settings,
    queues: tuple[str, ...],
    open_model: Callable[[Settings], AssessmentModel],
    exposition: MetricsServer,
) -> int:
    """Consume the queues until a signal ends the process; returns its exit status. Raises ConfigurationRefused."""
    worker = worker_identity(queues, settings.concurrency)
    delete_unused_cache(settings)
    # Before the worker registers: readiness and admission count workers that can compute.
    model = _warm_up(open_model(settings))
    # Closed in reverse order: the consumer has ended by then, and the heartbeat outlives the sweeper and the watchdog.
    with ExitStack() as closing:
        closing.callback(model.close)
        closing.enter_context(exposition.collecting(BatcherMetrics(model)))
        database = Database(settings.database)
        closing.callback(database.close)
        report = LoadReport(model)
        closing.callback(report.write)
        app = open_celery(settings.broker, settings.broker_visibility_timeout)
        objects = open_objects(settings)
        publisher = TaskPublisher(app)
        # The stages of a worker that was killed on this host need not wait for its timeout (decision 0032).
        _mark_predecessors_dead(database, settings.worker_timeout)
        heartbeat = start_until_closed(
            closing,
            Heartbeat(database, worker, model.loaded, interval=settings.worker_heartbeat_interval, file=settings.alive),
        )
        sweeper = start_until_closed(closing, Sweeper(database, objects, publisher, sweep_plan(settings), worker.id))
        waits = partial(_work_is_waiting, database, publisher, worker, model.loaded.digest, settings.worker_timeout)
        watchdog = start_until_closed(closing, Watchdog(watchdog_limits(settings), waits))
        runner = StageRunner(
            database,
            objects,
            model,
            worker=worker,
            retry=stage_retry_policy(settings),
            scratch=_scratch_folder(settings.folder / "scratch"),
        )

        def run(stage_id: str, after: str | None = None) -> str | None:
            with watchdog.serving():
                worked_on = runner.run(stage_id, after)
            if worked_on is not None:
                heartbeat.computed()
                # The completed stage may have made the next one ready: publish it now and not at the next sweep.
                sweeper.wake()
                report.stage_done()
            return worked_on

        register_tasks(app, partial(run_stages, run, stopping=stop_requested))
        report_ready(worker)
        return _serve(open_consumer(app, worker))


def report_ready(worker: WorkerIdentity) -> None:
    """Report in the log and the metrics that the worker serves its queues."""
    WORKER_READY.labels(queues=",".join(worker.queues)).set(1)
    log.info("worker ready", worker=worker.id, queues=worker.queues, concurrency=worker.slots)


def _serve(consumer: WorkController) -> int:
    consumer.start()
    return int(consumer.exitcode or 0)


class _Startable(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


Started = TypeVar("Started", bound=_Startable)


def start_until_closed(closing: ExitStack, thread: Started) -> Started:
    """Start it now, and stop it when the stack closes."""
    thread.start()
    closing.callback(thread.stop)
    return thread


def worker_identity(queues: tuple[str, ...], slots: int) -> WorkerIdentity:
    """The identity of this process. The id ends in random digits, because process ids are reused."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return WorkerIdentity(id=name, queues=queues, slots=slots)


def _mark_predecessors_dead(database: Database, worker_timeout: timedelta) -> None:
    with database.writing() as session:
        mark_dead(session, socket.gethostname(), _other_process_alive, worker_timeout)


def watchdog_limits(settings: Settings) -> WatchdogLimits:
    """The watchdog's limits from the settings."""
    return WatchdogLimits(stage_timeout=settings.stage_timeout, stall_timeout=settings.consumer_stall_timeout)


def _work_is_waiting(
    database: Database, publisher: TaskPublisher, worker: WorkerIdentity, model: str, worker_timeout: timedelta
) -> bool:
    """Whether the broker answers, and published stages wait that this worker should have received a message for.

    While workers of several models share queues, a message may reach a worker that cannot run the stage. Then only the
    stages count that every one of them can claim.
    """
    with database.reading() as session:
        live = live_workers(session, worker_timeout)
        loaded = {other.model for other in live if set(other.queues) & set(worker.queues)}
        alone = model if loaded <= {model} else None
        if not fetch_claimable(session, map(StageKind, worker.queues), now(), limit=1, model=alone):
            return False
    try:
        # A broker that is away explains the silence, and a restart of this process would not help.
        publisher.check()
    except BrokerUnreachable:
        return False
    return True


def _warm_up(model: AssessmentModel) -> AssessmentModel:
    model.warm_up()
    _log_signature(model.trace)
    _log_graphs(model.trace)
    return model


def _keep_logging(**_settings: object) -> None:
    """A listener of `setup_logging` keeps Celery from replacing the logging configuration with its own."""


def open_consumer(app: Celery, worker: WorkerIdentity) -> WorkController:
    """The Celery worker for the queues and slots of this one; the solo pool computes in the main thread."""
    setup_logging.connect(_keep_logging)
    return app.Worker(
        hostname=worker.id,
        pool="solo" if worker.slots == 1 else "threads",
        concurrency=worker.slots,
        queues=list(worker.queues),
        # Liveness is a row of the database, so messages between workers would only load the broker.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )


def _log_signature(model: ModelTrace) -> None:
    """Without trusted keys any bundle is loaded, but not silently."""
    if model.signed_by is None:
        log.warning("the bundle is not signed by a trusted key", digest=model.digest)
    else:
        log.info("the bundle is signed by a trusted key", digest=model.digest, key=model.signed_by)


def _log_graphs(model: ModelTrace) -> None:
    """With the device `auto` only the log tells where a graph runs."""
    for name, graph in model.graphs.items():
        log.info("graph loaded", graph=name, provider=graph.provider, device=graph.device, precision=graph.precision)


def delete_unused_cache(settings: Settings) -> None:
    """Delete the feature cache of an earlier worker when the settings keep no features."""
    if not settings.feature_cache_mb:
        settings.feature_cache.unlink(missing_ok=True)


def _scratch_folder(folder: Path) -> Path:
    """A folder for decoded audio of this process; deletes the folders of processes that were killed."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.name.isdigit() and not _alive(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    own = folder / str(os.getpid())
    # In a restarted container a killed predecessor may have had this process id.
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    return own


def _other_process_alive(pid: int) -> bool:
    """Whether another process has this id. In a restarted container the dead predecessor had the id of this one."""
    return pid != os.getpid() and _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The process exists and belongs to another user.
    except PermissionError:
        return True
    return True
