from dataclasses import dataclass

import pytest

from service.worker.metrics import count_result


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
def test_recordings_are_described_by_what_is_known_of_them(result, counted, case):
    count_result(result(**case.quality))
    name = f"hilbert_drift_{case.metric}"
    assert counted(f"{name}_count") == (case.expected is not None)
    assert counted(f"{name}_sum") == (case.expected or 0.0)


def test_answers_are_described_by_probability_and_share(result, counted):
    count_result(result())
    assert counted("hilbert_drift_audio_share_sum") == pytest.approx(2 / 3, abs=1e-5)
    total = sum(
        counted("hilbert_drift_probability_sum", task="spectrum", outcome=o) for o in ("none", "mild", "severe")
    )
    assert total == pytest.approx(1.0, abs=1e-5)
