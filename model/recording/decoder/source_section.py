"""A section of the source: a stretch of frames of one rate and one number of channels, with its statistics."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from model.recording.decoder.channels import ChannelChoice, ChannelStatistics
from model.recording.decoder.flat_tops import FlatTops

MOST_LEVEL = 1e9
"""Float samples beyond this multiple of full scale are damage, as infinite ones are; squares stay finite below it."""


class SourceSection:
    """Mixes blocks of samples to mono; counts, of the channels used, the samples, the clipped and the not finite ones.

    `clipped` is known after `close`.
    """

    def __init__(self, *, rate: int, channels: int, used: tuple[int, ...]) -> None:
        self.rate = rate
        self.channels = channels
        self.used = used
        self.frames = 0
        self.not_finite = 0
        self.clipped = 0
        self._peaks = np.zeros(channels)
        self._statistics = ChannelStatistics(channels, rate) if len(used) == channels else None
        self._flat_tops = [FlatTops(rate) for _ in used]

    @property
    def samples(self) -> int:
        """Samples of all channels used."""
        return self.frames * len(self.used)

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.rate

    def mix(self, levels: Float32[np.ndarray, "channel sample"]) -> Float32[np.ndarray, " sample"]:
        """The mean of the channels used, with zeros where a sample is not finite."""
        self.frames += levels.shape[1]
        peaks = np.abs(levels).max(axis=1, initial=0.0)
        # `not` and `<=`, so that NaN counts as damage.
        if not peaks.max() <= MOST_LEVEL:
            finite = np.abs(levels) <= MOST_LEVEL
            self.not_finite += int(np.count_nonzero(~finite[list(self.used)]))
            levels = np.where(finite, levels, np.float32(0))
            peaks = np.abs(levels).max(axis=1, initial=0.0)
        self._peaks = np.maximum(self._peaks, peaks)
        if self._statistics is not None:
            self._statistics.add(levels)
        used = levels if len(self.used) == self.channels else levels[list(self.used)]
        for channel, flat_tops in zip(used, self._flat_tops, strict=True):
            flat_tops.add(channel)
        mono: Float32[np.ndarray, " sample"] = used.mean(axis=0, dtype=np.float32) if len(used) > 1 else used[0]
        return mono

    def choose_channels(self) -> ChannelChoice:
        """The channels to use: those of the section if it was mixed from some only, else what the statistics say."""
        if self._statistics is None:
            return ChannelChoice(channels=self.used)
        return self._statistics.choose()

    def peak_of(self, channels: tuple[int, ...]) -> float:
        """The highest magnitude in these channels."""
        return float(self._peaks[list(channels)].max())

    def close(self) -> None:
        """Count the clipped samples and free the histograms; nothing is mixed afterwards."""
        self.clipped = sum(flat_tops.count() for flat_tops in self._flat_tops)
        self._flat_tops = []
