"""Metrics of a worker: encoder batching, and quality and score distributions for drift detection."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from service.assessments.result import Quality, Result
from service.observability import metrics
from service.observability.metrics import (
    DRIFT_AUDIO_SHARE,
    DRIFT_PROBABILITY,
    DRIFT_SEGMENTS,
    DRIFT_SNR,
    DRIFT_SPEECH,
    DRIFT_WORDS,
    QUALITY_FLAGS,
)
from service.worker.model_protocol import AssessmentModel


class BatcherMetrics(Collector):
    """Counts and seconds since the worker's start; nothing in them is of a recording."""

    def __init__(self, model: AssessmentModel) -> None:
        self._model = model

    def collect(self) -> Iterable[Metric]:
        """The numbers of this moment, for each encoder."""
        loads = self._model.load()
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


MINUTE = 60.0


def count_result(result: Result) -> None:
    """Count a result that was stored; only what was scored is compared with what was scored before."""
    for flag in result.quality.flags:
        QUALITY_FLAGS.labels(code=flag.code, hard=str(flag.hard).lower()).inc()
    if result.outcome is None:
        return
    _observe_quality(result.quality)
    for each in result.probabilities:
        DRIFT_PROBABILITY.labels(task=result.task, outcome=each.outcome).observe(each.probability)
    if result.contributions is not None and result.contributions.share_audio is not None:
        DRIFT_AUDIO_SHARE.observe(result.contributions.share_audio)


def _observe_quality(quality: Quality) -> None:
    DRIFT_SEGMENTS.observe(quality.segments)
    if quality.duration_seconds > 0:
        DRIFT_SPEECH.observe(quality.speech_seconds / quality.duration_seconds)
    if quality.snr_db is not None:
        DRIFT_SNR.observe(quality.snr_db)
    if quality.words and quality.speech_seconds > 0:
        DRIFT_WORDS.observe(quality.words * MINUTE / quality.speech_seconds)
