"""What a worker reports about its encoders and results: metrics, and a log line for hosts without Prometheus.

None of it holds recordings, transcripts or ids.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import timedelta

import structlog
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

log = structlog.stdlib.get_logger(__name__)
REPORT_INTERVAL = timedelta(minutes=1)
DIGITS = 4
SECONDS_PER_MINUTE = 60.0


class BatcherMetrics(Collector):
    """Metrics of encoder batching since the worker's start, read from the model at each scrape."""

    def __init__(self, model: AssessmentModel) -> None:
        self._model = model

    def collect(self) -> Iterable[Metric]:
        """The present values, with one series for each encoder."""
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


class LoadReport:
    """Logs the same numbers at most once a minute, and when the worker ends."""

    def __init__(self, model: AssessmentModel, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock() + REPORT_INTERVAL.total_seconds()

    def stage_done(self) -> None:
        """Write the report if a minute has passed; callable from every thread."""
        with self._lock:
            if self._clock() < self._due:
                return
            self._due = self._clock() + REPORT_INTERVAL.total_seconds()
        self.write()

    def write(self) -> None:
        """Write one log line for each encoder."""
        for load in self._model.load():
            log.info("encoder load", **{name: _rounded(value) for name, value in asdict(load).items()})


def count_result(result: Result) -> None:
    """Count the flags of a stored result and, when it was scored, observe its quality, probabilities and audio share.

    Results without a score stay out of the drift metrics: they would show a change of what is sent as one of the model.
    """
    for flag in result.quality.flags:
        QUALITY_FLAGS.labels(code=flag.code, hard=str(flag.hard).lower()).inc()
    if result.outcome is None:
        return
    _observe_quality(result.quality)
    for outcome in result.probabilities:
        DRIFT_PROBABILITY.labels(task=result.task, outcome=outcome.outcome).observe(outcome.probability)
    if result.contributions is not None and result.contributions.share_audio is not None:
        DRIFT_AUDIO_SHARE.observe(result.contributions.share_audio)


def _observe_quality(quality: Quality) -> None:
    DRIFT_SEGMENTS.observe(quality.segments)
    # A transcript without audio has no duration, no speech and no SNR.
    if quality.duration_seconds > 0:
        DRIFT_SPEECH.observe(quality.speech_seconds / quality.duration_seconds)
    if quality.snr_db is not None:
        DRIFT_SNR.observe(quality.snr_db)
    if quality.words and quality.speech_seconds > 0:
        DRIFT_WORDS.observe(quality.words * SECONDS_PER_MINUTE / quality.speech_seconds)


def _rounded(value: object) -> object:
    return round(value, DIGITS) if isinstance(value, float) else value
