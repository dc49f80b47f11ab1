"""Decoded audio: mono 16 kHz PCM in a scratch file, so that long recordings need no memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2
FULL_SCALE = 32_768.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Mono 16 kHz little-endian int16 PCM in `path`, with statistics of the source.

    `samples` counts the PCM at 16 kHz. `source_samples` counts all channels at the source's own rate; of them,
    `clipped` are at full scale and `not_finite` are NaN or infinite (replaced by zero).
    """

    path: Path
    samples: int
    clipped: int = 0
    not_finite: int = 0
    source_samples: int = 0

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.samples / SAMPLE_RATE

    @property
    def clipping(self) -> float:
        """Share of the source's samples at full scale."""
        return self.clipped / self.source_samples if self.source_samples else 0.0

    @property
    def not_finite_share(self) -> float:
        """Share of the source's samples that were NaN or infinite."""
        return self.not_finite / self.source_samples if self.source_samples else 0.0

    def read(self, start: int, stop: int) -> Float32[np.ndarray, " sample"]:
        """Samples `start` to `stop` (exclusive, clamped to the audio) in [-1, 1].

        It reads the file instead of mapping it: mapped pages would count as memory of the worker.
        """
        start = min(max(start, 0), self.samples)
        stop = min(max(stop, start), self.samples)
        with self.path.open("rb") as file:
            file.seek(start * SAMPLE_BYTES)
            pcm = np.frombuffer(file.read((stop - start) * SAMPLE_BYTES), dtype="<i2")
        return pcm.astype(np.float32) / np.float32(FULL_SCALE)

    def blocks(self, size: int) -> Iterator[Float32[np.ndarray, " sample"]]:
        """The audio in order, `size` samples at a time; the last block may be shorter."""
        for start in range(0, self.samples, size):
            yield self.read(start, start + size)
