"""The choice of channels: which are averaged, so that none cancels another and silent ones do not weaken the mean.

The choice is one for a whole recording, so nothing switches within the sound. It rests on the covariance of the
channels in blocks of a second, or of ten for more than eight channels: at most 12 MB for four hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

BLOCK_SECONDS, LONG_BLOCK_SECONDS = 1, 10
FEW_CHANNELS = 8
SILENT_BELOW = 1e-4
"""Power relative to the loudest channel, -40 dB: below it a channel holds crosstalk or the noise of an open input."""
CANCELLED_POWER = 0.5
"""Power of the sum relative to that of channels without correlation: lower when channels cancel each other."""
OPPOSED = -0.5
"""Correlation of two channels that carry the same sound in opposite phase, with noise of their own."""
EQUALLY_LOUD = 0.8
"""Power relative to the loudest, -1 dB: of channels that are about as loud, the first one is used."""
MOST_CANCELLED = 0.1
"""Share of the recording's energy that may lie in cancelled blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChoice:
    """Channels to average, numbered from 0; whether others cancel them, and which hold too little sound to count."""

    channels: tuple[int, ...]
    antiphase: bool = False
    silent: tuple[int, ...] = ()


class ChannelStatistics:
    """Covariances of the channels of a stretch of sound, block by block."""

    def __init__(self, channels: int, rate: int) -> None:
        self._channels = channels
        self._block = rate * (BLOCK_SECONDS if channels <= FEW_CHANNELS else LONG_BLOCK_SECONDS)
        self._covariances: list[Float64[np.ndarray, "channel channel"]] = []
        self._restart()

    def add(self, levels: Float32[np.ndarray, "channel sample"]) -> None:
        """Count samples in [-1, 1], at most a block of them at once."""
        if self._channels == 1:
            return
        self._products += levels @ levels.T
        self._sums += levels.sum(axis=1, dtype=np.float64)
        self._samples += levels.shape[1]
        if self._samples >= self._block:
            self._close_block()

    def choose(self) -> ChannelChoice:
        """The channels to use: all that hold sound, or the loudest alone when they cancel each other."""
        self._close_block()
        everything = tuple(range(self._channels))
        if not self._covariances:
            return ChannelChoice(channels=everything)
        blocks = np.stack(self._covariances)
        power = np.einsum("bcc->c", blocks)
        if not power.max() > 0:
            return ChannelChoice(channels=everything)
        sounding = power >= SILENT_BELOW * power.max()
        silent = tuple(int(channel) for channel in np.flatnonzero(~sounding))
        if _cancelled_share(blocks[:, sounding][:, :, sounding]) > MOST_CANCELLED:
            loudest = int(np.flatnonzero(power >= EQUALLY_LOUD * power.max())[0])
            return ChannelChoice(channels=(loudest,), antiphase=True, silent=silent)
        return ChannelChoice(channels=tuple(int(channel) for channel in np.flatnonzero(sounding)), silent=silent)

    def _restart(self) -> None:
        self._products = np.zeros((self._channels, self._channels))
        self._sums = np.zeros(self._channels)
        self._samples = 0

    def _close_block(self) -> None:
        if self._samples:
            self._covariances.append(self._products - np.outer(self._sums, self._sums) / self._samples)
        self._restart()


def _cancelled_share(blocks: Float64[np.ndarray, "block channel channel"]) -> float:
    """Share of the energy in blocks where channels oppose each other and their sum is weaker than without relation."""
    powers = np.einsum("bcc->bc", blocks)
    energy = powers.sum(axis=1)
    # A channel that is silent in a block would divide by 0.
    scale = np.sqrt(np.maximum(powers, 1e-30))
    lowest = (blocks / (scale[:, :, None] * scale[:, None, :])).min(axis=(1, 2))
    cancelled = (blocks.sum(axis=(1, 2)) < CANCELLED_POWER * energy) & (lowest < OPPOSED)
    total = float(energy.sum())
    return float(energy[cancelled].sum()) / total if total > 0 else 0.0
