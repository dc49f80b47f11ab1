"""Conversion of decoded frames of any shape to the mono 16 kHz PCM of the scratch file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import av
import numpy as np
from jaxtyping import Float32, Shaped

from model.config import AudioLimits
from model.errors import AudioFormatUnsupported, AudioTooLong
from model.recording.audio import SAMPLE_BYTES, SAMPLE_RATE
from model.recording.decoder.source_section import SourceSection

SLOWEST, FASTEST = 4_000, 384_000
MOST_CHANNELS = 32
# PyAV 18.1 searches for a null pointer after the last plane of a frame, and libav has room for eight planes: reading a
# frame of eight or more planes reads out of bounds and kills the process. The resampler turns them into one plane.
MOST_PLANES = 7
BLOCK = 1 << 15
# Twice the rate, channels and sample width of ordinary stereo: a header may declare 655 350 Hz on eight channels.
DECODED_BYTES_PER_SECOND = 2 * 48_000 * 2 * 4
MOST_SECTIONS = 1_000

ChannelPlan = Callable[[int, int], tuple[int, ...]]
"""The channels to average, numbered from 0, of a section by its index and its number of channels; may refuse."""


class ScratchWriter:
    """Writes frames as PCM and collects the statistics of the source, section by section.

    Frames are collected into blocks, because a call of the resampler takes as long for 20 ms as for a second. Samples
    are multiplied by `gain`; `peak` is the highest magnitude before the PCM is limited to full scale, and `beyond`
    counts the source samples that were above it.
    """

    def __init__(self, file: BinaryIO, limits: AudioLimits, plan: ChannelPlan, gain: float = 1.0) -> None:
        self._file = file
        self._most_samples = int(limits.seconds * SAMPLE_RATE)
        self._bytes_left = int(limits.seconds * DECODED_BYTES_PER_SECOND)
        self._plan = plan
        self._gain = np.float32(gain)
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._interleaver: av.AudioResampler | None = None
        self._rate = 0
        self._gathered: list[Float32[np.ndarray, "channel sample"]] = []
        self._pending = 0
        self.sections: list[SourceSection] = []
        self.samples = 0
        self.seconds = 0.0
        self.peak = 0.0
        self.beyond = 0

    def add(self, frame: av.AudioFrame) -> None:
        """Append a decoded frame; raises AudioTooLong at the limit, AudioFormatUnsupported for an unsupported shape."""
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if not SLOWEST <= rate <= FASTEST or not 0 < channels <= MOST_CHANNELS:
            raise AudioFormatUnsupported(
                f"The audio has {channels} channels at {rate} Hz; {SLOWEST} to {FASTEST} Hz and at most "
                f"{MOST_CHANNELS} channels are read.",
                advice="Send the recording in one or two channels at 16 000 to 48 000 Hz.",
            )
        if not self.sections or (rate, channels) != (self.sections[-1].rate, self.sections[-1].channels):
            self._open_section(rate, channels)
        if frame.format.is_planar and channels > MOST_PLANES:
            for interleaved in self._interleave(frame):
                self._add_samples(interleaved, channels)
        else:
            self._add_samples(frame, channels)

    def silence(self, seconds: float) -> None:
        """Append silence for a gap in the timestamps of the source."""
        if self.seconds + seconds > self._most_samples / SAMPLE_RATE:
            raise AudioTooLong("The audio's timestamps reach beyond the longest accepted recording.")
        self._drain()
        if not self._rate:
            self._restart(SAMPLE_RATE)
        left = round(seconds * self._rate)
        self.seconds += left / self._rate
        while left > 0:
            self._resample(np.zeros(min(left, BLOCK), dtype=np.float32))
            left -= BLOCK

    def finish(self) -> None:
        """Write the samples that are still in the block or in the resampler."""
        self._flush()
        if self.sections:
            self.sections[-1].close()

    def _flush(self) -> None:
        self._drain()
        if self._rate:
            self._write(self._resampler.resample(None))
            self._rate = 0

    def _open_section(self, rate: int, channels: int) -> None:
        if len(self.sections) == MOST_SECTIONS:
            raise AudioFormatUnsupported(
                f"The audio changes its rate or channels more than {MOST_SECTIONS} times.",
                advice="Convert the recording to one rate and one or two channels.",
            )
        self._drain()
        if rate != self._rate:
            self._restart(rate)
        self._interleaver = None
        if self.sections:
            self.sections[-1].close()
        used = self._plan(len(self.sections), channels)
        self.sections.append(SourceSection(rate=rate, channels=channels, used=used))

    def _restart(self, rate: int) -> None:
        self._flush()
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._rate = rate

    def _interleave(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        if self._interleaver is None:
            self._interleaver = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
        frame.pts = None
        interleaved: list[av.AudioFrame] = self._interleaver.resample(frame)
        return interleaved

    def _add_samples(self, frame: av.AudioFrame, channels: int) -> None:
        try:
            values = frame.to_ndarray()
        except ValueError as error:
            raise AudioFormatUnsupported(f"Samples of the format {frame.format.name} are not read.") from error
        self._bytes_left -= values.nbytes
        if self._bytes_left < 0:
            raise AudioTooLong("The audio decodes to more bytes than accepted.")
        if not frame.format.is_planar:
            values = values.reshape(-1, channels).T
        self._gathered.append(_normalised(values))
        self._pending += values.shape[1]
        self.seconds += values.shape[1] / self._rate
        if self._pending >= BLOCK:
            self._drain()

    def _drain(self) -> None:
        if not self._pending:
            return
        levels = np.concatenate(self._gathered, axis=1)
        self._gathered, self._pending = [], 0
        mono = self.sections[-1].mix(levels * self._gain if self._gain != 1 else levels)
        peak = float(np.abs(mono).max(initial=0.0))
        self.peak = max(self.peak, peak)
        if peak > 1:
            self.beyond += int((np.abs(mono) > 1).sum())
            mono = np.clip(mono, -1, 1)
        self._resample(mono)

    def _resample(self, mono: Float32[np.ndarray, " sample"]) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mono)[None, :], format="flt", layout="mono")
        frame.sample_rate = self._rate
        self._write(self._resampler.resample(frame))

    def _write(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            self.samples += frame.samples
            if self.samples > self._most_samples + SAMPLE_RATE:
                raise AudioTooLong("The audio is longer than the longest accepted recording.")
            # libav pads a plane at its end.
            self._file.write(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


def _normalised(values: Shaped[np.ndarray, "channel sample"]) -> Float32[np.ndarray, "channel sample"]:
    """Source samples as float32 with full scale at 1."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / np.float32(128)
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32) / np.float32(-float(np.iinfo(values.dtype).min))
    # A float64 beyond the range becomes infinite, and `SourceSection.mix` counts it as damage.
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)
