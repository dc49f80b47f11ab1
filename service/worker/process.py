"""One worker process: load the model, warm it up, say so, serve."""

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
from service.observability.exposition import Exposition
from service.observability.metrics import WORKER_READY
from service.queue.ordering import next_to_claim
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.objects import open_objects
from service.task_queue.publisher import Doorbell, QueueUnreachable, open_celery
from service.worker.cache_pruning import forget_features
from service.worker.consumer import asked_to_stop, go_on, register_tasks
from service.worker.heartbeat import Presence
from service.worker.load_report import LoadReport
from service.worker.metrics import BatcherMetrics
from service.worker.model_protocol import Assessor
from service.worker.stage_runner import StageRunner, patience
from service.worker.watchdog import Limits, Watchdog
from service.worker_registry import WorkerIdentity, bury, living

log = structlog.stdlib.get_logger(__name__)


def run_worker(
    settings: Settings,
    queues: tuple[str, ...],
    open_assessor: Callable[[Settings], Assessor],
    exposition: Exposition,
) -> int:
    """Serve the queues until a signal ends the process; returns its exit status."""
    worker = identity(queues, settings.concurrency)
    forget_features(settings)
    assessor = _warm(open_assessor(settings))
    with ExitStack() as closing:
        closing.callback(assessor.close)
        closing.enter_context(exposition.asking(BatcherMetrics(assessor)))
        database = Database(settings.database)
        closing.callback(database.close)
        report = LoadReport(assessor)
        closing.callback(report.write)
        app = open_celery(settings.broker, settings.broker_visibility_timeout)
        objects = open_objects(settings)
        doorbell = Doorbell(app)
        _bury_predecessors(database, settings.worker_timeout)
        presence = started(
            closing,
            Presence(database, worker, assessor.model, every=settings.worker_heartbeat_interval, alive=settings.alive),
        )
        sweeper = started(closing, Sweeper(database, objects, doorbell, sweep_plan(settings), worker.id))
        waits = partial(_work_waits, database, doorbell, worker, assessor.model.digest, settings.worker_timeout)
        watchdog = started(closing, Watchdog(watch_limits(settings), waits))
        runner = StageRunner(
            database,
            objects,
            assessor,
            worker=worker,
            patience=patience(settings),
            scratch=_own_scratch(settings.folder / "scratch"),
        )

        def run(stage_id: str, after: str | None = None) -> str | None:
            with watchdog.serving():
                worked_on = runner.run(stage_id, after)
            if worked_on is not None:
                presence.computed()
                sweeper.wake()
                report.stage_done()
            return worked_on

        register_tasks(app, partial(go_on, run, stopping=asked_to_stop))
        say_ready(worker)
        return _serve(open_consumer(app, worker))


def say_ready(worker: WorkerIdentity) -> None:
    """In the log and in the metrics: from now on the worker serves its queues."""
    WORKER_READY.labels(queues=",".join(worker.queues)).set(1)
    log.info("worker ready", worker=worker.id, queues=worker.queues, concurrency=worker.slots)


def _serve(consumer: WorkController) -> int:
    consumer.start()
    return int(consumer.exitcode or 0)


class _Thread(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


Started = TypeVar("Started", bound=_Thread)


def started(closing: ExitStack, thread: Started) -> Started:
    """Start it now, stop it at the end, the last one first."""
    thread.start()
    closing.callback(thread.stop)
    return thread


def identity(queues: tuple[str, ...], slots: int) -> WorkerIdentity:
    """Who this process is among all workers: host, process id and something random."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return WorkerIdentity(id=name, queues=queues, slots=slots)


def _bury_predecessors(database: Database, silence: timedelta) -> None:
    with database.writing() as session:
        bury(session, socket.gethostname(), _another_lives, silence)


def watch_limits(settings: Settings) -> Limits:
    """When a worker of these settings gives itself up."""
    return Limits(stage=settings.stage_timeout, deaf=settings.consumer_stall_timeout)


def _work_waits(database: Database, doorbell: Doorbell, worker: WorkerIdentity, model: str, silence: timedelta) -> bool:
    """Whether stages were published that this worker should have heard of and nobody has taken, and the broker answers.

    While workers with different models live, messages of the one's stages reach the other: then only stages count
    that any of them can take.
    """
    with database.reading() as session:
        loaded = {one.model for one in living(session, silence) if set(one.queues) & set(worker.queues)}
        alone = model if loaded <= {model} else None
        if not next_to_claim(session, map(StageKind, worker.queues), now(), limit=1, model=alone):
            return False
    try:
        doorbell.check()
    except QueueUnreachable:
        return False
    return True


def _warm(assessor: Assessor) -> Assessor:
    assessor.warm_up()
    _say_who_signed(assessor.trace)
    _say_where_it_runs(assessor.trace)
    return assessor


def _keep_logging(**_settings: object) -> None:
    """Where somebody listens to it, Celery leaves logging as it is; else it silences what is less than a warning."""


def open_consumer(app: Celery, worker: WorkerIdentity) -> WorkController:
    """Celery's worker for the queues and slots of this one."""
    setup_logging.connect(_keep_logging)
    return app.Worker(
        hostname=worker.id,
        pool="solo" if worker.slots == 1 else "threads",
        concurrency=worker.slots,
        queues=list(worker.queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )


def _say_who_signed(model: ModelTrace) -> None:
    """Where no keys are named any bundle is loaded, but not in silence."""
    if model.signed_by is None:
        log.warning("the bundle is signed by no trusted key", digest=model.digest)
    else:
        log.info("the bundle is signed by a trusted key", digest=model.digest, key=model.signed_by)


def _say_where_it_runs(model: ModelTrace) -> None:
    """With `auto` nothing else tells."""
    for name, graph in model.graphs.items():
        log.info(
            "a graph is loaded", graph=name, provider=graph.provider, device=graph.device, precision=graph.precision
        )


def _own_scratch(folder: Path) -> Path:
    """A folder for decoded audio that this process alone uses; those of killed processes are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.name.isdigit() and not _alive(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    own = folder / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    return own


def _another_lives(pid: int) -> bool:
    """Whether a process other than this one has this id."""
    return pid != os.getpid() and _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
