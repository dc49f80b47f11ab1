"""How a worker's encoders fare, as metrics that are looked up when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from service.observability import metrics
from service.worker.assessor import Assessor


class BatcherMetrics(Collector):
    """Counts and seconds since the worker's start; nothing in them is of a recording."""

    def __init__(self, assessor: Assessor) -> None:
        self._assessor = assessor

    def collect(self) -> Iterable[Metric]:
        """The numbers of this moment, for each encoder."""
        loads = self._assessor.load()
        for reading, values in (
            (metrics.BATCHER_FILL, [load.fill for load in loads]),
            (metrics.BATCHER_PADDING, [load.padding for load in loads]),
            (metrics.BATCHER_WAITING, [load.waiting for load in loads]),
            (metrics.BATCHER_BATCHES, [load.batches for load in loads]),
            (metrics.BATCHER_SEGMENTS, [load.entries for load in loads]),
            (metrics.BATCHER_BUSY, [load.busy_seconds for load in loads]),
        ):
            family = reading.family()
            for load, value in zip(loads, values, strict=True):
                family.add_metric([load.encoder], value)
            yield family
        waits = metrics.BATCHER_WAIT.family()
        for load in loads:
            waits.add_metric([load.encoder, "0.5"], load.wait_p50)
            waits.add_metric([load.encoder, "0.95"], load.wait_p95)
        yield waits
