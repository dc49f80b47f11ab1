"""What is counted of a result: its flags, and how recordings and answers are spread, which shows drift."""

from __future__ import annotations

from service.jobs.result import Quality, Result
from service.observability.metrics import (
    DRIFT_AUDIO_SHARE,
    DRIFT_PROBABILITY,
    DRIFT_SEGMENTS,
    DRIFT_SNR,
    DRIFT_SPEECH,
    DRIFT_WORDS,
    QUALITY_FLAGS,
)

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
