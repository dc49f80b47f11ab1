from dataclasses import dataclass
from typing import cast

import pytest
import structlog

from service.worker.metrics import BatcherMetrics, LoadReport, count_result
from service.worker.model_protocol import AssessmentModel, EncoderLoad


class Loaded:
    """A model that only reports the load of one encoder."""

    def load(self):
        counts = {"batches": 3, "entries": 12, "cancelled": 0, "failed": 0, "waiting": 2}
        return (
            EncoderLoad(
                encoder="speech", padding=1.25, fill=1 / 3, busy_seconds=1.5, wait_p50=0.25, wait_p95=0.75, **counts
            ),
        )


LOADED = cast(AssessmentModel, Loaded())


def test_batcher_metrics_report_each_encoder():
    samples = [sample for family in BatcherMetrics(LOADED).collect() for sample in family.samples]
    assert {(sample.name, *sample.labels.values()): sample.value for sample in samples} == {
        ("hilbert_batcher_fill_ratio", "speech"): 1 / 3,
        ("hilbert_batcher_padding_ratio", "speech"): 1.25,
        ("hilbert_batcher_waiting_segments", "speech"): 2,
        ("hilbert_batcher_batches_total", "speech"): 3,
        ("hilbert_batcher_segments_total", "speech"): 12,
        ("hilbert_batcher_busy_seconds_total", "speech"): 1.5,
        ("hilbert_batcher_wait_seconds", "speech", "0.5"): 0.25,
        ("hilbert_batcher_wait_seconds", "speech", "0.95"): 0.75,
    }


def test_the_encoder_load_is_logged_at_most_once_a_minute():
    now = [0.0]
    report = LoadReport(LOADED, clock=lambda: now[0])
    with structlog.testing.capture_logs() as entries:
        for now[0] in (1.0, 59.0, 60.0, 61.0, 119.0, 120.0):
            report.stage_done()
    assert len(entries) == 2
    assert (entries[0]["event"], entries[0]["encoder"], entries[0]["fill"]) == ("encoder load", "speech", 0.3333)


def test_the_encoder_load_can_be_logged_at_any_time():
    with structlog.testing.capture_logs() as entries:
        LoadReport(LOADED, clock=lambda: 0.0).write()
    assert [entry["entries"] for entry in entries] == [12]


@pytest.fixture
def result(model):
    """A scored result with some of its quality replaced."""

    def result(**quality):
        scored = model.score(b'{"segments": 1, "pace": 0}', [b'{"sum": 1}'], "spectrum")
        return scored.model_copy(update={"quality": scored.quality.model_copy(update=quality)})

    return result


@dataclass(frozen=True)
class Case:
    quality: dict[str, float]
    metric: str
    expected: float | None


CASES = [
    Case({"duration_seconds": 100.0, "speech_seconds": 40.0}, "speech_ratio", 0.4),
    Case({"duration_seconds": 0.0, "speech_seconds": 0.0}, "speech_ratio", None),
    Case({"snr_db": 21.5}, "snr_db", 21.5),
    Case({"snr_db": None}, "snr_db", None),
    Case({"words": 90, "speech_seconds": 60.0}, "words_per_minute", 90.0),
    Case({"words": 0, "speech_seconds": 60.0}, "words_per_minute", None),
    Case({"segments": 12}, "segments", 12.0),
]


@pytest.mark.parametrize("case", CASES)
def test_quality_is_observed_where_it_is_known(result, counted, case):
    count_result(result(**case.quality))
    name = f"hilbert_drift_{case.metric}"
    assert counted(f"{name}_count") == (case.expected is not None)
    assert counted(f"{name}_sum") == (case.expected or 0.0)


def test_probabilities_and_the_audio_share_are_observed(result, counted):
    count_result(result())
    assert counted("hilbert_drift_audio_share_sum") == pytest.approx(2 / 3, abs=1e-5)
    total = sum(
        counted("hilbert_drift_probability_sum", task="spectrum", outcome=o) for o in ("none", "mild", "severe")
    )
    assert total == pytest.approx(1.0, abs=1e-5)
