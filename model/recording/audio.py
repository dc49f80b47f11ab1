"""Decoded audio: mono 16 kHz PCM in a scratch file, so that long recordings need no memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.recording.notice import Notice
from model.recording.source import AudioSource

SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2
FULL_SCALE = 32_768.0
PCM_SOURCE = AudioSource(container="wav", codec="pcm_s16le", sample_rate=SAMPLE_RATE, channels=1, bits=16)
"""The source of audio that is not decoded from a file."""


def never_cancelled() -> None:
    """A check for work that nothing cancels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Mono 16 kHz little-endian int16 PCM in `path`, with statistics and a description of the source.

    `samples` counts the PCM at 16 kHz. `source_samples` counts the channels used at the source's own rate; of them,
    `clipped` are estimated to lie on flat tops and `not_finite` are NaN or infinite (replaced by zero). `gain` is the
    factor from the level of the source to that of the PCM; it is below 1 where the source exceeds full scale.
    `notices` say what was left out, repaired or assumed. `check` is called for each block of `blocks` and raises when
    the work is cancelled, so that every pass over the samples can be stopped.
    """

    path: Path
    samples: int
    clipped: int = 0
    not_finite: int = 0
    source_samples: int = 0
    gain: float = 1.0
    source: AudioSource = PCM_SOURCE
    notices: tuple[Notice, ...] = ()
    check: Callable[[], None] = field(default=never_cancelled, compare=False, repr=False)

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.samples / SAMPLE_RATE

    @property
    def clipping(self) -> float:
        """Share of the source's samples on flat tops, at any level (model/recording/decoder/flat_tops.py)."""
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
            self.check()
            yield self.read(start, start + size)
