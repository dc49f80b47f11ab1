"""Every metric of the service: its name, its help, its labels. Here they are defined; elsewhere they are counted.

A label is one of a few words that the service itself knows: never an id, a path, a tenant or anything a client wrote.
What is read when somebody asks, from the database or the encoders, is a `Reading`; the rest is counted as it happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

REGISTRY = CollectorRegistry()
"""What this process has counted since it began; a registry of its own, and not the library's global one."""

RATIO_BUCKETS = tuple(number / 20 for number in range(1, 21))
QUEUE_STATES = ("ready", "leased", "delayed")
"""How what is in the queue stands; what is delayed is tried again later."""
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
"""Those of OpenTelemetry's semantic conventions, and two more for answers that are waited for."""
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
    """A metric whose values are looked up when somebody asks for them."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def family(self) -> GaugeMetricFamily | CounterMetricFamily:
        """An empty family, to be filled with the values of this moment."""
        made = GaugeMetricFamily if self.kind == "gauge" else CounterMetricFamily
        return made(self.name, self.help, labels=self.labels)


# Every process.
BUILD = Gauge("hilbert_build_info", "1; which version this is", ["version"], registry=REGISTRY)
SWEEPS = Counter("hilbert_sweeps_total", "Sweeps by the process that leads", ["outcome"], registry=REGISTRY)
TAKEN_BACK = Counter("hilbert_stages_taken_back_total", "Stages taken from lost workers", registry=REGISTRY)
REPUBLISHED = Counter(
    "hilbert_messages_republished_total", "Stages and deliveries told of again, for nobody took them", registry=REGISTRY
)
ENDED = Counter("hilbert_assessments_ended_total", "Assessments that ended", ["task", "state"], registry=REGISTRY)
ASSESSMENT_DURATION = Histogram(
    "hilbert_assessment_duration_seconds",
    "From submission to end",
    ["priority", "state"],
    buckets=ASSESSMENT_BUCKETS,
    registry=REGISTRY,
)
REAL_TIME_FACTOR = Histogram(
    "hilbert_real_time_factor",
    "From submission to end, over the length of the audio; scored assessments",
    ["priority"],
    buckets=REAL_TIME_FACTOR_BUCKETS,
    registry=REGISTRY,
)
SPANS = Counter("hilbert_spans_exported_total", "Spans that were to leave", ["outcome"], registry=REGISTRY)

# API.
REQUEST_DURATION = Histogram(
    "http_server_request_duration_seconds",
    "From a request's head to its answer's end",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=REQUEST_BUCKETS,
    registry=REGISTRY,
)
ACTIVE_REQUESTS = Gauge("http_server_active_requests", "Requests under way", ["http_request_method"], registry=REGISTRY)
SUBMISSIONS = Counter(
    "hilbert_submissions_total",
    "Recordings accepted, each line of a batch is one; requests for assessments or batches refused",
    ["priority", "outcome"],
    registry=REGISTRY,
)
ADMISSION_REFUSED = Counter(
    "hilbert_admission_refused_total", "Submissions sent away before their body was read", ["reason"], registry=REGISTRY
)

# Read from the database whenever somebody asks; every API says the same.
QUEUE_STAGES = Reading(
    name="hilbert_queue_stages", help="Stages that are not done", labels=("stage", "priority", "state")
)
QUEUE_OLDEST = Reading(
    name="hilbert_queue_oldest_seconds",
    help="Age of the oldest stage that is ready and due; 0 when none is",
    labels=("stage", "priority"),
)
DELIVERIES = Reading(name="hilbert_deliveries", help="Webhook deliveries that are not done", labels=("state",))
DELIVERIES_OLDEST = Reading(
    name="hilbert_deliveries_oldest_seconds", help="Age of the oldest delivery that is due; 0 when none is"
)
UNFINISHED = Reading(
    name="hilbert_assessments_unfinished", help="Assessments that have not ended", labels=("state", "priority")
)
WORKERS = Reading(name="hilbert_workers", help="Living workers", labels=("queue",))
WORKER_SLOTS = Reading(
    name="hilbert_worker_slots", help="Stages that living workers can work on at once", labels=("queue",)
)
PART_UP = Reading(name="hilbert_part_up", help="1 when the part answers, else 0", labels=("part",))
MODEL = Reading(
    name="hilbert_model_info",
    help="1; a bundle that workers have loaded",
    labels=("bundle", "version", "digest", "demonstration"),
)

# Workers of stages.
STAGE_DURATION = Histogram(
    "hilbert_stage_duration_seconds",
    "One attempt at a stage",
    ["stage", "outcome"],
    buckets=STAGE_BUCKETS,
    registry=REGISTRY,
)
STAGE_WAIT = Histogram(
    "hilbert_stage_wait_seconds",
    "From when a stage was ready until a worker claimed it",
    ["stage", "priority"],
    buckets=WAIT_BUCKETS,
    registry=REGISTRY,
)
STAGE_ATTEMPTS = Counter("hilbert_stage_attempts_total", "Claims of stages", ["stage"], registry=REGISTRY)
STAGE_BUSY = Counter("hilbert_stage_busy_seconds_total", "Time spent on stages", ["stage"], registry=REGISTRY)
AUDIO = Counter("hilbert_audio_seconds_total", "Audio whose prepare stage is done", registry=REGISTRY)
QUALITY_FLAGS = Counter("hilbert_quality_flags_total", "Quality flags of results", ["code", "hard"], registry=REGISTRY)
WORKER_READY = Gauge("hilbert_worker_ready", "1 once the worker serves its queues", ["queues"], registry=REGISTRY)
WORKER_BEAT = Gauge(
    "hilbert_worker_last_beat_timestamp_seconds", "When the worker last said that it lives", registry=REGISTRY
)

# Read from the encoders whenever somebody asks.
BATCHER_FILL = Reading(
    name="hilbert_batcher_fill_ratio",
    help="Mean cost of a batch over its budget, since the start",
    labels=("encoder",),
)
BATCHER_PADDING = Reading(
    name="hilbert_batcher_padding_ratio",
    help="Padded over used samples or tokens, since the start; 1 is no padding",
    labels=("encoder",),
)
BATCHER_WAITING = Reading(
    name="hilbert_batcher_waiting_segments", help="Segments that wait for a batch", labels=("encoder",)
)
BATCHER_BATCHES = Reading(name="hilbert_batcher_batches_total", help="Batches run", labels=("encoder",), kind="counter")
BATCHER_SEGMENTS = Reading(
    name="hilbert_batcher_segments_total", help="Segments encoded", labels=("encoder",), kind="counter"
)
BATCHER_BUSY = Reading(
    name="hilbert_batcher_busy_seconds_total", help="Time in which batches ran", labels=("encoder",), kind="counter"
)
BATCHER_WAIT = Reading(
    name="hilbert_batcher_wait_seconds",
    help="How long the last 1024 segments waited for their batch",
    labels=("encoder", "quantile"),
)

# Workers that deliver.
WEBHOOK_ATTEMPTS = Counter("hilbert_webhook_attempts_total", "Attempts at deliveries", ["outcome"], registry=REGISTRY)
WEBHOOK_DURATION = Histogram(
    "hilbert_webhook_attempt_duration_seconds",
    "One attempt at a delivery",
    buckets=WEBHOOK_BUCKETS,
    registry=REGISTRY,
)

# What recordings and answers are like: compared with those of before, they show drift. One observation a scored result.
DRIFT_SPEECH = Histogram(
    "hilbert_drift_speech_ratio", "Speech over the recording's length", buckets=RATIO_BUCKETS, registry=REGISTRY
)
DRIFT_SNR = Histogram(
    "hilbert_drift_snr_db", "Signal over noise, in decibels", buckets=DECIBEL_BUCKETS, registry=REGISTRY
)
DRIFT_WORDS = Histogram(
    "hilbert_drift_words_per_minute", "Words for each minute of speech", buckets=SPEECH_RATE_BUCKETS, registry=REGISTRY
)
DRIFT_SEGMENTS = Histogram(
    "hilbert_drift_segments", "Segments of a recording", buckets=SEGMENT_COUNT_BUCKETS, registry=REGISTRY
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
    "Share of audio in the contributions to the reported outcome",
    buckets=RATIO_BUCKETS,
    registry=REGISTRY,
)
