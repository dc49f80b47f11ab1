"""Definitions of all metrics: name, help text, labels and buckets.

Label values come from small fixed sets: never an id, a path, a tenant or anything that a client wrote. A `Reading` is
read at each scrape, from the database or the encoders; all other metrics are counted as events happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

REGISTRY = CollectorRegistry()
"""The counted metrics of this process. Not the global registry, which would also hold what libraries register."""

RATIO_BUCKETS = tuple(number / 20 for number in range(1, 21))
QUEUE_STATES = ("ready", "leased", "delayed")
"""States of queued work; delayed work waits for its next attempt."""
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
"""The buckets of OpenTelemetry's semantic conventions, and two more for requests with `Prefer: wait`."""
STAGE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
WAIT_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 14400)
ASSESSMENT_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
WEBHOOK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
REAL_TIME_FACTOR_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
DECIBEL_BUCKETS = tuple(range(0, 65, 5))
SPEECH_RATE_BUCKETS = tuple(range(20, 320, 20))
SEGMENT_COUNT_BUCKETS = (1, 2, 5, 10, 20, 40, 60, 80, 100, 120, 160, 200, 300, 400, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A metric whose values are read at each scrape."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def family(self) -> GaugeMetricFamily | CounterMetricFamily:
        """An empty metric family, to be filled with the present values."""
        made = GaugeMetricFamily if self.kind == "gauge" else CounterMetricFamily
        return made(self.name, self.help, labels=self.labels)


# Every process.
BUILD = Gauge("hilbert_build_info", "Version of the service; always 1", ["version"], registry=REGISTRY)
SWEEPS = Counter("hilbert_sweeps_total", "Sweeps of the leading sweeper", ["outcome"], registry=REGISTRY)
TAKEN_BACK = Counter("hilbert_stages_taken_back_total", "Stages taken back from lost workers", registry=REGISTRY)
REPUBLISHED = Counter(
    "hilbert_messages_republished_total", "Messages republished because no worker claimed them", registry=REGISTRY
)
ENDED = Counter(
    "hilbert_assessments_ended_total", "Assessments that reached a final state", ["task", "state"], registry=REGISTRY
)
ASSESSMENT_DURATION = Histogram(
    "hilbert_assessment_duration_seconds",
    "Time from submission to the final state",
    ["priority", "state"],
    buckets=ASSESSMENT_BUCKETS,
    registry=REGISTRY,
)
REAL_TIME_FACTOR = Histogram(
    "hilbert_real_time_factor",
    "Time from submission to the final state over the length of the audio, for scored assessments",
    ["priority"],
    buckets=REAL_TIME_FACTOR_BUCKETS,
    registry=REGISTRY,
)
SPANS = Counter("hilbert_spans_exported_total", "Spans exported or lost", ["outcome"], registry=REGISTRY)

# API.
REQUEST_DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Time from the request's headers to the end of the response",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=REQUEST_BUCKETS,
    registry=REGISTRY,
)
ACTIVE_REQUESTS = Gauge(
    "http_server_active_requests", "Requests in progress", ["http_request_method"], registry=REGISTRY
)
SUBMISSIONS = Counter(
    "hilbert_submissions_total",
    "Recordings accepted, one for each line of a batch, and submissions refused",
    ["priority", "outcome"],
    registry=REGISTRY,
)
ADMISSION_REFUSED = Counter(
    "hilbert_admission_refused_total", "Submissions refused before their body was read", ["reason"], registry=REGISTRY
)

# Read from the database at each scrape; every API process reports the same values.
QUEUE_STAGES = Reading(
    name="hilbert_queue_stages", help="Stages that are not completed", labels=("stage", "priority", "state")
)
QUEUE_OLDEST = Reading(
    name="hilbert_queue_oldest_seconds",
    help="Age of the oldest stage that is ready and due; 0 without one",
    labels=("stage", "priority"),
)
DELIVERIES = Reading(name="hilbert_deliveries", help="Webhook deliveries that are not completed", labels=("state",))
DELIVERIES_OLDEST = Reading(
    name="hilbert_deliveries_oldest_seconds", help="Age of the oldest delivery that is due; 0 without one"
)
UNFINISHED = Reading(
    name="hilbert_assessments_unfinished", help="Assessments without a final state", labels=("state", "priority")
)
WORKERS = Reading(name="hilbert_workers", help="Live workers", labels=("queue",))
WORKER_SLOTS = Reading(name="hilbert_worker_slots", help="Stages that live workers can run at once", labels=("queue",))
PART_UP = Reading(name="hilbert_part_up", help="1 when the part answers, 0 when it does not", labels=("part",))
MODEL = Reading(
    name="hilbert_model_info",
    help="Bundle that workers have loaded; always 1",
    labels=("bundle", "version", "digest", "demonstration"),
)

# Workers of stages.
STAGE_DURATION = Histogram(
    "hilbert_stage_duration_seconds",
    "Duration of an attempt at a stage",
    ["stage", "outcome"],
    buckets=STAGE_BUCKETS,
    registry=REGISTRY,
)
STAGE_WAIT = Histogram(
    "hilbert_stage_wait_seconds",
    "Time from a stage being ready to its claim",
    ["stage", "priority"],
    buckets=WAIT_BUCKETS,
    registry=REGISTRY,
)
STAGE_ATTEMPTS = Counter("hilbert_stage_attempts_total", "Attempts at stages", ["stage"], registry=REGISTRY)
STAGE_BUSY = Counter(
    "hilbert_stage_busy_seconds_total", "Time that workers spent on stages", ["stage"], registry=REGISTRY
)
AUDIO = Counter("hilbert_audio_seconds_total", "Audio of completed prepare stages", registry=REGISTRY)
QUALITY_FLAGS = Counter("hilbert_quality_flags_total", "Quality flags of results", ["code", "hard"], registry=REGISTRY)
WORKER_READY = Gauge("hilbert_worker_ready", "1 once the worker serves its queues", ["queues"], registry=REGISTRY)
WORKER_BEAT = Gauge(
    "hilbert_worker_last_beat_timestamp_seconds", "Time of the worker's last heartbeat", registry=REGISTRY
)

# Read from the encoders at each scrape.
BATCHER_FILL = Reading(
    name="hilbert_batcher_fill_ratio",
    help="Mean cost of a batch over its budget since the start",
    labels=("encoder",),
)
BATCHER_PADDING = Reading(
    name="hilbert_batcher_padding_ratio",
    help="Padded over used samples or tokens since the start; 1 is no padding",
    labels=("encoder",),
)
BATCHER_WAITING = Reading(
    name="hilbert_batcher_waiting_segments", help="Segments waiting for a batch", labels=("encoder",)
)
BATCHER_BATCHES = Reading(name="hilbert_batcher_batches_total", help="Batches run", labels=("encoder",), kind="counter")
BATCHER_SEGMENTS = Reading(
    name="hilbert_batcher_segments_total", help="Segments encoded", labels=("encoder",), kind="counter"
)
BATCHER_BUSY = Reading(
    name="hilbert_batcher_busy_seconds_total", help="Time spent running batches", labels=("encoder",), kind="counter"
)
BATCHER_WAIT = Reading(
    name="hilbert_batcher_wait_seconds",
    help="Wait of the last 1024 segments for their batch",
    labels=("encoder", "quantile"),
)

# Webhook workers.
WEBHOOK_ATTEMPTS = Counter(
    "hilbert_webhook_attempts_total", "Attempts at webhook deliveries", ["outcome"], registry=REGISTRY
)
WEBHOOK_DURATION = Histogram(
    "hilbert_webhook_attempt_duration_seconds",
    "Duration of an attempt at a webhook delivery",
    buckets=WEBHOOK_BUCKETS,
    registry=REGISTRY,
)

# Distributions of recordings and results for drift detection; one observation for each scored result.
DRIFT_SPEECH = Histogram(
    "hilbert_drift_speech_ratio", "Share of speech in the recording", buckets=RATIO_BUCKETS, registry=REGISTRY
)
DRIFT_SNR = Histogram(
    "hilbert_drift_snr_db", "Signal-to-noise ratio in decibels", buckets=DECIBEL_BUCKETS, registry=REGISTRY
)
DRIFT_WORDS = Histogram(
    "hilbert_drift_words_per_minute", "Words per minute of speech", buckets=SPEECH_RATE_BUCKETS, registry=REGISTRY
)
DRIFT_SEGMENTS = Histogram(
    "hilbert_drift_segments", "Segments per recording", buckets=SEGMENT_COUNT_BUCKETS, registry=REGISTRY
)
DRIFT_PROBABILITY = Histogram(
    "hilbert_drift_probability",
    "Calibrated probability of each outcome",
    ["task", "outcome"],
    buckets=RATIO_BUCKETS,
    registry=REGISTRY,
)
DRIFT_AUDIO_SHARE = Histogram(
    "hilbert_drift_audio_share",
    "Share of the audio in the contributions to the reported outcome",
    buckets=RATIO_BUCKETS,
    registry=REGISTRY,
)
