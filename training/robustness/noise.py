"""Noise of a given signal-to-noise ratio: white, pink, and babble of other recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from model.segments.level import POWER_FLOOR, WINDOW, active_level, window_moments

VOICES = 6
"""Voices of a babble, our choice: few enough to sound like speech, too many to follow one."""


def white_noise(length: int, chance: np.random.Generator) -> Float32[np.ndarray, " sample"]:
    """Noise of equal power in every band, of variance 1."""
    noise: Float32[np.ndarray, " sample"] = chance.standard_normal(length, dtype=np.float32)
    return noise


def pink_noise(length: int, chance: np.random.Generator) -> Float32[np.ndarray, " sample"]:
    """Noise with a power of 1/f above 20 Hz at 16 kHz, of variance 1."""
    spectrum = np.fft.rfft(chance.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / 16_000)
    # 1/f is infinite at 0 Hz.
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 20.0)), n=length)
    noise: Float32[np.ndarray, " sample"] = (shaped / shaped.std()).astype(np.float32)
    return noise


def babble_noise(
    length: int, voices: Sequence[Float32[np.ndarray, " sample"]], chance: np.random.Generator
) -> Float32[np.ndarray, " sample"]:
    """The sum of up to six other recordings at equal level, from a random place, repeated to `length`; variance 1."""
    mixed = np.zeros(length, dtype=np.float64)
    for at in chance.permutation(len(voices))[:VOICES]:
        voice = voices[at]
        turned = np.roll(voice, int(chance.integers(len(voice))))
        mixed += np.resize(turned, length) / np.sqrt(active_power(voice))
    noise: Float32[np.ndarray, " sample"] = (mixed / mixed.std()).astype(np.float32)
    return noise


def add_noise(
    samples: Float32[np.ndarray, " sample"], noise: Float32[np.ndarray, " sample"], decibels: float
) -> Float32[np.ndarray, " sample"]:
    """Speech plus noise at a ratio of `decibels` between the power of active speech and that of the noise."""
    gain = np.sqrt(active_power(samples) / np.mean(np.square(noise, dtype=np.float64)) / 10 ** (decibels / 10))
    mixed: Float32[np.ndarray, " sample"] = (samples + gain * noise).astype(np.float32)
    return mixed


def active_power(samples: Float32[np.ndarray, " sample"]) -> float:
    """Power of active speech, as the service measures its level (ITU-T P.56); never 0. See docs/method.md (F11)."""
    whole = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    level = active_level(window_moments(whole)[0]) if len(whole) else None
    return POWER_FLOOR if level is None else 10 ** (level / 10)
