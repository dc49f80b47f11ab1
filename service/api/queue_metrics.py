"""Metrics of the queue, the workers and the dependencies, read from the database when they are scraped.

They are read in the thread of the scrape, never in the event loop, and cached for CACHE_SECONDS.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

import structlog
from prometheus_client import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from service.api.dependencies import Components
from service.assessments.states import Priority, StageKind, StageState
from service.errors.unavailable import StorageUnavailable
from service.maintenance.snapshot import OPEN, QueueSnapshot, read_snapshot
from service.observability import metrics
from service.observability.logs import failure_fields
from service.task_queue.publisher import QUEUES, BrokerUnreachable

log = structlog.stdlib.get_logger(__name__)
CACHE_SECONDS = 2.0
DIGEST_LENGTH = 12


class QueueMetrics(Collector):
    """Collects the metrics from the database, and whether database, broker and object store can be reached.

    Without the database only the reachability is reported.
    """

    def __init__(self, components: Components, *, clock: Callable[[], float] = monotonic) -> None:
        self._components = components
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._families: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """The metrics, at most CACHE_SECONDS old."""
        # Scrapers that come together wait for one reading and share it (decision 0033).
        with self._lock:
            if self._clock() - self._read_at >= CACHE_SECONDS:
                self._families = list(self._read())
                self._read_at = self._clock()
            return self._families

    def _read(self) -> Iterator[Metric]:
        up = metrics.PART_UP.family()
        try:
            state = read_snapshot(self._components.database, self._components.settings.worker_timeout)
        except SQLAlchemyError as error:
            log.warning("the queue could not be read for metrics", **failure_fields(error))
        else:
            yield from metric_families(state)
            up.add_metric(["database"], 1)
        if not up.samples:
            up.add_metric(["database"], 0)
        up.add_metric(["queue"], _reachable(self._components.publisher.check, BrokerUnreachable))
        up.add_metric(["object_store"], _reachable(self._components.objects.check, StorageUnavailable))
        yield up


def metric_families(state: QueueSnapshot) -> Iterator[Metric]:
    """The metrics of a state. Every combination of labels is present, with 0 if empty: a series never starts late."""
    yield from _stage_metrics(state)
    yield from _delivery_metrics(state)
    yield _assessment_metrics(state)
    yield from _worker_metrics(state)
    yield _model_metrics(state)


def _stage_metrics(state: QueueSnapshot) -> Iterator[Metric]:
    counts = {(line.kind, line.priority, line.state): line for line in state.stages}
    stages, oldest = metrics.QUEUE_STAGES.family(), metrics.QUEUE_OLDEST.family()
    for kind in StageKind:
        for priority in Priority:
            for stands in metrics.QUEUE_STATES:
                line = counts.get((kind, priority, stands))
                stages.add_metric([kind, priority, stands], 0 if line is None else line.count)
            ready = counts.get((kind, priority, StageState.READY))
            oldest.add_metric([kind, priority], 0 if ready is None else ready.oldest)
    yield stages
    yield oldest


def _delivery_metrics(state: QueueSnapshot) -> Iterator[Metric]:
    lines = {line.state: line for line in state.deliveries}
    deliveries, oldest = metrics.DELIVERIES.family(), metrics.DELIVERIES_OLDEST.family()
    for stands in metrics.QUEUE_STATES:
        deliveries.add_metric([stands], 0 if stands not in lines else lines[stands].count)
    oldest.add_metric([], 0 if StageState.READY not in lines else lines[StageState.READY].oldest)
    yield deliveries
    yield oldest


def _assessment_metrics(state: QueueSnapshot) -> Metric:
    counts = {(line.state, line.priority): line.count for line in state.unfinished}
    unfinished = metrics.UNFINISHED.family()
    for stands in OPEN:
        for priority in Priority:
            unfinished.add_metric([stands, priority], counts.get((stands, priority), 0))
    return unfinished


def _worker_metrics(state: QueueSnapshot) -> Iterator[Metric]:
    workers, slots = metrics.WORKERS.family(), metrics.WORKER_SLOTS.family()
    for queue in QUEUES:
        serving = [worker for worker in state.workers if queue in worker.queues]
        workers.add_metric([queue], len(serving))
        slots.add_metric([queue], sum(worker.slots for worker in serving))
    yield workers
    yield slots


def _model_metrics(state: QueueSnapshot) -> Metric:
    models = metrics.MODEL.family()
    for model in state.models:
        digest = model.digest.removeprefix("sha256:")[:DIGEST_LENGTH]
        models.add_metric([model.bundle, model.version, digest, str(model.demonstration).lower()], 1)
    return models


def _reachable(check: Callable[[], None], silent: type[Exception]) -> int:
    try:
        check()
    except silent:
        return 0
    return 1
