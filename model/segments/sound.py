"""Sound quality of a recording: level, peak, noise, signal to noise and bandwidth, without DC."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from model.recording.audio import SAMPLE_RATE
from model.segments.level import active_level, decibels_of
from model.segments.timeline import SampleRange
from model.segments.voice_activity import VoiceActivity, windows_inside

LEAST_NOISE_WINDOWS = 16
# A cough or a missed word is louder than this times the median of the noise.
LOUDEST_NOISE = 4.0
# Below the strongest part of speech by so much there is nothing but the floor of a codec or a converter.
BAND_RANGE = 60.0
SMOOTHING = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundMeasures:
    """Level, peak and noise in dBFS of the source, signal to noise in dB, bandwidth in Hz; None if not measurable."""

    level: float | None
    peak: float | None
    noise: float | None
    snr: float | None
    bandwidth: float | None


SILENT = SoundMeasures(level=None, peak=None, noise=None, snr=None, bandwidth=None)


def measure_sound(
    activity: VoiceActivity, heard: list[SampleRange], used: list[SampleRange], gain: float
) -> SoundMeasures:
    """Measure the used speech against the pauses of all speech; `gain` is that of the decoder, which is undone.

    The noise is the mean power of the pauses. Signal to noise is the active level of the speech with the noise
    subtracted, over the noise. See docs/method.md (F10, F12).
    """
    if not used:
        return SILENT
    speech = activity.power[windows_inside(activity, used)]
    noise = _noise_power(activity.power[~windows_inside(activity, heard)])
    level, decoded = active_level(speech), 20 * math.log10(gain)
    clean = None if noise is None else active_level(np.maximum(speech - np.float32(noise), 0))
    return SoundMeasures(
        level=None if level is None else level - decoded,
        peak=20 * math.log10(activity.peak) - decoded if activity.peak > 0 else None,
        noise=None if noise is None else decibels_of(noise) - decoded,
        snr=None if noise is None or clean is None else clean - decibels_of(noise),
        bandwidth=bandwidth_of(activity.spectrum, activity.pauses),
    )


def bandwidth_of(speech: Float64[np.ndarray, " bin"], pauses: Float64[np.ndarray, " bin"]) -> float | None:
    """The highest frequency in Hz at which speech is 3 dB above the pauses and at most 60 dB below its maximum.

    Both are mean power spectra from 0 Hz to 8 kHz and are smoothed; None if there is no such frequency.
    See docs/method.md (F12).
    """
    kernel = np.ones(SMOOTHING) / SMOOTHING
    smooth, floor = (np.convolve(spectrum, kernel, mode="same") for spectrum in (speech, pauses))
    loud = np.flatnonzero((smooth > 0) & (smooth >= 2 * floor) & (smooth >= smooth.max() / 10 ** (BAND_RANGE / 10)))
    return float(loud[-1]) * SAMPLE_RATE / 2 / (speech.size - 1) if loud.size else None


def _noise_power(pauses: Float32[np.ndarray, " window"]) -> float | None:
    """Mean power of the pauses without what is far above their median; None if they are too short."""
    if pauses.size < LEAST_NOISE_WINDOWS:
        return None
    quiet = pauses[pauses <= LOUDEST_NOISE * np.median(pauses)]
    return float(quiet.mean(dtype=np.float64))
