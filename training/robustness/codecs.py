"""Encoding of samples as a telephone or a recorder would, into files that the service reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float32

from model.recording.audio import SAMPLE_RATE

FRAME = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """An encoder of PyAV: container, codec, sample rate in Hz, and bit rate in bit/s (None where it is fixed)."""

    suffix: str
    container: str
    codec: str
    rate: int
    bit_rate: int | None = None


def opus(kilobits: int) -> Codec:
    """Opus in Ogg."""
    return Codec(suffix="ogg", container="ogg", codec="libopus", rate=48_000, bit_rate=kilobits * 1000)


def mp3(kilobits: int) -> Codec:
    """MP3."""
    return Codec(suffix="mp3", container="mp3", codec="libmp3lame", rate=SAMPLE_RATE, bit_rate=kilobits * 1000)


def aac(kilobits: int) -> Codec:
    """AAC in MP4."""
    return Codec(suffix="m4a", container="ipod", codec="aac", rate=SAMPLE_RATE, bit_rate=kilobits * 1000)


G711 = Codec(suffix="wav", container="wav", codec="pcm_mulaw", rate=8_000)
NARROW = Codec(suffix="wav", container="wav", codec="pcm_s16le", rate=8_000)


def write_encoded(path: Path, samples: Float32[np.ndarray, " sample"], codec: Codec) -> Path:
    """Encode mono 16 kHz samples; what exceeds full scale is clipped, as a recorder does."""
    with av.open(str(path), mode="w", format=codec.container) as output:
        stream = output.add_stream(codec.codec, rate=codec.rate, layout="mono")
        if codec.bit_rate is not None:
            stream.bit_rate = codec.bit_rate
        context = stream.codec_context
        # Encoders such as AAC take frames of one length; a frame size of 0 means any length.
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=context.rate, frame_size=context.frame_size or FRAME
        )
        clipped = np.clip(samples, -1, 1)
        for start in range(0, len(clipped), FRAME):
            frame = av.AudioFrame.from_ndarray(clipped[None, start : start + FRAME].copy(), format="flt", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            for part in resampler.resample(frame):
                output.mux(stream.encode(part))
        # None flushes: resampler and encoder hold samples back.
        for part in resampler.resample(None):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path
