"""Clipping found by the flat tops that it leaves in the distribution of amplitudes.

The density of the amplitudes of speech and of noise falls toward the peaks. Clipping moves all that was above a level
onto that level, so the density rises again there. A later gain moves this mode, and a codec widens it, but neither
removes it. What lies in the mode, above the density of the valley in front of it, is the number of clipped samples.

The histogram as the evidence of clipping, without a fixed level, is that of C. Laguna and A. Lerch, "An Efficient
Algorithm for Clipping Detection and Declipping Audio", 141st Convention of the AES, 2016; the estimate of the share
from mode and valley is ours. docs/audio.md has the measured table and the limits.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int64

WINDOW_SECONDS = 60
"""Sound that is judged at once, so that a change of the level on the way moves no mode into another's slope."""
FULL_SCALE = 0.999
LOUDEST = 2.0
FINE_BINS = 1 << 16
BINS = 48
HEADROOM = 1.1
FEWEST_LEVELS = 8
FEWEST = 2_000
"""Samples of a side below which its histogram says nothing."""
MODE_FROM = 0.6
"""The mode lies above this share of the highest amplitudes."""
VALLEY_FROM = 0.25
RISE = 1.1
PROMINENCE = 1.5
"""Density of the mode over that of the valley, and over the one to be expected without clipping."""
LOW_OVER_VALLEY = 1.3
"""Density of the lowest amplitudes over that of the valley: speech and noise stay low most of the time, a tone not."""
FIT_FROM, FIT_TO = 0.55, 0.85
"""Amplitudes, relative to the valley's, whose density is continued beyond it."""
LEAST_SHARE = 0.001
"""Smaller modes are chance."""
ITERATIONS = 3


class FlatTops:
    """Counts the clipped samples of a channel of `rate` Hz in bounded memory."""

    def __init__(self, rate: int) -> None:
        self._window = WINDOW_SECONDS * rate
        self._clipped = 0.0
        self._restart()

    def add(self, levels: Float32[np.ndarray, " sample"]) -> None:
        """Count samples with full scale at 1."""
        scaled = (levels + np.float32(LOUDEST)) * np.float32(FINE_BINS / (2 * LOUDEST))
        bins = np.clip(scaled, 0, FINE_BINS - 1).astype(np.int32)
        self._histogram += np.bincount(bins, minlength=FINE_BINS)
        self._samples += levels.size
        self._sum += float(levels.sum(dtype=np.float64))
        self._full_scale += int(np.count_nonzero(np.abs(levels) >= FULL_SCALE))
        if self._samples >= self._window:
            self._close_window()

    def count(self) -> int:
        """Estimated number of clipped samples so far."""
        self._close_window()
        return round(self._clipped)

    def _restart(self) -> None:
        self._histogram: Int64[np.ndarray, " fine"] = np.zeros(FINE_BINS, dtype=np.int64)
        self._samples = 0
        self._sum = 0.0
        self._full_scale = 0

    def _close_window(self) -> None:
        if self._samples:
            mean = self._sum / self._samples
            middle = int(np.clip((mean + LOUDEST) * FINE_BINS / (2 * LOUDEST), 0, FINE_BINS - 1))
            sides = (self._histogram[middle:], self._histogram[:middle][::-1])
            clipped = sum(_count_in_mode(side, self._samples) for side in sides)
            self._clipped += max(clipped, float(self._full_scale))
        self._restart()


def _count_in_mode(side: Int64[np.ndarray, " fine"], samples: int) -> float:
    """Samples in the mode at the highest amplitudes of one side, by amplitude from the mean on; 0 without a mode."""
    density = _coarse(side)
    if density is None:
        return 0.0
    mode = int(MODE_FROM * BINS) + int(density[int(MODE_FROM * BINS) :].argmax())
    first = int(VALLEY_FROM * BINS)
    valley = first + int(density[first : mode + 1].argmin())
    anchor, unclipped = _extrapolated(density, valley)
    # Counts scatter by their root: three times that is no chance.
    rises = density[mode] > RISE * density[valley] + 3 * np.sqrt(density[valley])
    if not rises or density[0] < LOW_OVER_VALLEY * density[valley] or density[mode] < PROMINENCE * unclipped[mode]:
        return 0.0
    above = np.cumsum(density[::-1])[::-1]
    below = np.cumsum(unclipped) - unclipped
    clipped, level = 0.0, mode
    for _ in range(ITERATIONS):
        clipped = float(above[anchor] - (below[level] - below[anchor]))
        # Half of the clipped samples lie above the level; no others do.
        level = max(valley, int(np.count_nonzero(above >= clipped / 2)) - 1)
    return clipped if clipped > LEAST_SHARE * samples else 0.0


def _extrapolated(density: Float64[np.ndarray, " bin"], valley: int) -> tuple[int, Float64[np.ndarray, " bin"]]:
    """The bin before the valley where the mode begins, and the density without clipping, continued from before it.

    The continuation is exponential, as the density of speech is, and never rises.
    """
    start, anchor = int(FIT_FROM * valley), int(FIT_TO * valley)
    bins = np.arange(start, anchor)
    # An empty bin has no logarithm.
    slope, _ = np.polyfit(bins, np.log(np.maximum(density[start:anchor], 1e-9)), 1)
    beyond = np.arange(density.size) - anchor
    return anchor, density[anchor] * np.exp(np.minimum(slope, 0.0) * beyond)


def _coarse(side: Int64[np.ndarray, " fine"]) -> Float64[np.ndarray, " bin"] | None:
    """The histogram in BINS bins from 0 to just above the highest amplitudes, smoothed; None for too few samples."""
    total = int(side.sum())
    if total < FEWEST:
        return None
    levels = np.flatnonzero(side)
    if levels.size < FEWEST_LEVELS:
        return None
    highest = int(np.searchsorted(np.cumsum(side), 0.999 * total)) + 1
    # Coarse quantisation (8 bits, G.711) leaves gaps: each level's samples are spread to halfway of its neighbours.
    halfway = (levels[1:] + levels[:-1] + 1) / 2
    ends = np.concatenate([[0.0], halfway, [levels[-1] + 1.0]])
    cumulated = np.concatenate([[0], np.cumsum(side[levels])])
    density = np.diff(np.interp(np.linspace(0, HEADROOM * highest, BINS + 1), ends, cumulated))
    padded = np.pad(density, 1, mode="edge")
    smooth: Float64[np.ndarray, " bin"] = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return smooth
