"""Level of speech: the active speech level of ITU-T P.56, and the gain that brings every voice to one level."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

WINDOW = 512
# P.56 method B: speech is active while its envelope is at most 15.9 dB below the active level, and 200 ms longer.
MARGIN = 15.9
HANGOVER = 6
STEP = 0.5
LOWEST = -120.0
POWER_FLOOR = 1e-12
# A recording without speech is not amplified until its noise is speech.
MOST_GAIN = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Levelling:
    """What brings a recording's speech to the level of the bundle: samples become `gain * (sample - offset)`."""

    gain: float = 1.0
    offset: float = 0.0

    def apply(self, samples: Float32[np.ndarray, " sample"]) -> Float32[np.ndarray, " sample"]:
        """Levelled samples; what exceeds full scale is clipped."""
        levelled: Float32[np.ndarray, " sample"] = np.clip(
            (samples - np.float32(self.offset)) * np.float32(self.gain), -1, 1
        )
        return levelled


UNCHANGED = Levelling()


def active_level(power: Float32[np.ndarray, " window"]) -> float | None:
    """Active speech level in dB relative to full scale (a square wave at full scale has 0 dB); None for silence.

    ITU-T P.56 method B on windows of 32 ms: the envelope is the power of a window, the hangover is six windows. `power`
    is the variance of each window, so a DC offset does not count. See docs/method.md (F11).
    """
    decibels = 10 * np.log10(np.maximum(power.astype(np.float64), POWER_FLOOR))
    total = float(power.sum(dtype=np.float64))
    if not power.size or decibels.max() <= LOWEST:
        return None
    before: tuple[float, float] | None = None
    for threshold in np.arange(float(decibels.min()) - STEP, float(decibels.max()) + STEP, STEP):
        active = _held(decibels >= threshold)
        level = 10 * math.log10(total / max(int(active.sum()), 1))
        excess = level - float(threshold)
        if excess <= MARGIN:
            return level if before is None else _between(before, (excess, level))
        before = excess, level
    return before[1] if before else None


def levelling_to(target: float, level: float | None, offset: float) -> Levelling:
    """The gain from an active level to the target, both in dBFS, at most 50 dB; silence stays silence."""
    if level is None:
        return Levelling(offset=offset)
    return Levelling(gain=10 ** (min(target - level, MOST_GAIN) / 20), offset=offset)


def decibels_of(power: float) -> float:
    """A power relative to full scale in dB, from -120 dB on."""
    return 10 * math.log10(max(power, POWER_FLOOR))


def window_moments(
    samples: Float32[np.ndarray, "window 512"],
) -> tuple[Float32[np.ndarray, " window"], Float64[np.ndarray, " window"]]:
    """Variance and mean of each window."""
    return samples.var(axis=1), samples.mean(axis=1, dtype=np.float64)


def _held(active: Bool[np.ndarray, " window"]) -> Bool[np.ndarray, " window"]:
    """Windows that are active, or at most the hangover after one that is."""
    at = np.arange(active.size)
    last = np.maximum.accumulate(np.where(active, at, -HANGOVER - 1))
    return at - last <= HANGOVER


def _between(before: tuple[float, float], after: tuple[float, float]) -> float:
    """The level where the excess over the threshold is the margin, interpolated."""
    share = (MARGIN - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])
