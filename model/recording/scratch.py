"""Conversion of decoded frames of any shape to the mono 16 kHz PCM of the scratch file, in bounded memory."""

from __future__ import annotations

from typing import BinaryIO

import av
import numpy as np
from jaxtyping import Float32, Shaped

from model.config import AudioLimits
from model.errors import AudioTooLong, AudioUnreadable
from model.recording.audio import SAMPLE_BYTES, SAMPLE_RATE

SLOWEST, FASTEST = 4_000, 384_000
MOST_CHANNELS = 32
# PyAV 18.1 searches for a null pointer after the last plane of a frame, and libav has room for eight planes: reading a
# frame of eight or more planes reads out of bounds and kills the process.
MOST_PLANES = 7
CLIPPED_FROM = 0.999
BLOCK = 1 << 15
# Twice the rate, channels and sample width of ordinary stereo: a header may declare 655 350 Hz on eight channels.
DECODED_BYTES_PER_SECOND = 2 * 48_000 * 2 * 4


class ScratchWriter:
    """Writes frames as PCM and counts the statistics of the quality report.

    Frames are collected into blocks, because a call of the resampler takes as long for 20 ms as for a second. The
    downmix is the mean of all channels.
    """

    def __init__(self, file: BinaryIO, limits: AudioLimits) -> None:
        self._file = file
        self._most_samples = int(limits.seconds * SAMPLE_RATE)
        self._bytes_left = int(limits.seconds * DECODED_BYTES_PER_SECOND)
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._rate = 0
        self._gathered: list[Float32[np.ndarray, " sample"]] = []
        self._pending = 0
        self.samples = 0
        self.seconds = 0.0
        self.clipped = 0
        self.not_finite = 0
        self.source_samples = 0

    def add(self, frame: av.AudioFrame) -> None:
        """Append a decoded frame; raises AudioTooLong at the limit, AudioUnreadable for an unsupported shape."""
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        most = MOST_PLANES if frame.format.is_planar else MOST_CHANNELS
        if not SLOWEST <= rate <= FASTEST or not 0 < channels <= most:
            raise AudioUnreadable(
                f"Rates of {SLOWEST} to {FASTEST} Hz and at most {MOST_PLANES} channels are accepted.",
                advice="Send the recording in one or two channels at 16 000 to 48 000 Hz.",
            )
        if rate != self._rate:
            self._restart(rate)
        try:
            values = frame.to_ndarray()
        except ValueError as error:
            raise AudioUnreadable("The audio's sample format is not supported.") from error
        self._bytes_left -= values.nbytes
        if not frame.format.is_planar:
            values = values.reshape(-1, channels).T
        self._gather(self._mono(values))

    def silence(self, seconds: float) -> None:
        """Append silence for a gap in the timestamps of the source."""
        if self.seconds + seconds > self._most_samples / SAMPLE_RATE:
            raise AudioTooLong("The audio's timestamps reach beyond the longest accepted recording.")
        rate = self._rate or SAMPLE_RATE
        if not self._rate:
            self._restart(rate)
        left = round(seconds * rate)
        while left > 0:
            self._gather(np.zeros(min(left, BLOCK), dtype=np.float32))
            left -= BLOCK

    def finish(self) -> None:
        """Write the samples that are still in the block or in the resampler."""
        self._drain()
        if self._rate:
            self._write(self._resampler.resample(None))

    def _restart(self, rate: int) -> None:
        self.finish()
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._rate = rate

    def _mono(self, values: Shaped[np.ndarray, "channel sample"]) -> Float32[np.ndarray, " sample"]:
        levels = _normalised(values)
        self.source_samples += levels.size
        peak = float(np.abs(levels).max(initial=0.0))
        if not np.isfinite(peak):
            finite = np.isfinite(levels)
            self.not_finite += int(levels.size - finite.sum())
            levels = np.where(finite, levels, np.float32(0))
        if not peak < CLIPPED_FROM:
            self.clipped += int((np.abs(levels) >= CLIPPED_FROM).sum())
            levels = np.clip(levels, -1, 1)
        mono: Float32[np.ndarray, " sample"] = levels.mean(axis=0, dtype=np.float32) if len(levels) > 1 else levels[0]
        return mono

    def _gather(self, mono: Float32[np.ndarray, " sample"]) -> None:
        self._gathered.append(mono)
        self._pending += mono.size
        self.seconds += mono.size / self._rate
        if self._bytes_left < 0:
            raise AudioTooLong("The audio decodes to more bytes than accepted.")
        if self._pending >= BLOCK:
            self._drain()

    def _drain(self) -> None:
        if not self._pending:
            return
        block = np.concatenate(self._gathered)
        self._gathered, self._pending = [], 0
        frame = av.AudioFrame.from_ndarray(block[None, :], format="flt", layout="mono")
        frame.sample_rate = self._rate
        self._write(self._resampler.resample(frame))

    def _write(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            self.samples += frame.samples
            if self.samples > self._most_samples + SAMPLE_RATE:
                raise AudioTooLong("The audio is longer than the longest accepted recording.")
            self._file.write(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


def _normalised(values: Shaped[np.ndarray, "channel sample"]) -> Float32[np.ndarray, "channel sample"]:
    """Source samples as float32 with full scale at 1."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / np.float32(128)
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32) / np.float32(-float(np.iinfo(values.dtype).min))
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)
