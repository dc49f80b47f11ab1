"""Sound files made for tests: WAV headers by hand, and encodings by PyAV."""

import struct
from dataclasses import dataclass

import av
import numpy as np


def float_wav(levels, rate=16_000):
    body = np.asarray(levels, dtype="<f4").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16, 3, 1, rate, rate * 4, 4, 32)
    return head + struct.pack("<4sI", b"data", len(body)) + body


def int16_wav(levels, rate=16_000, size=None):
    """Interleaved int16 of levels [channel, sample] in [-1, 1]; `size` is what the header says of the data."""
    levels = np.atleast_2d(levels)
    channels = len(levels)
    body = np.round(levels.T * 32_767).astype("<i2").tobytes()
    how = (16, 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", *how)
    return head + struct.pack("<4sI", b"data", len(body) if size is None else size) + body


@dataclass(frozen=True)
class Coding:
    """How PyAV is to write a file."""

    container: str
    codec: str
    rate: int
    bit_rate: int | None = None
    layout: str = "mono"


def encode(path, levels, source_rate, coding):
    """Encode levels [channel, sample] in [-1, 1] at `source_rate`; returns the bytes of the file."""
    rate, layout = coding.rate, coding.layout
    levels = np.atleast_2d(levels).astype(np.float32)
    with av.open(str(path), "w", format=coding.container) as output:
        stream = output.add_stream(coding.codec, rate=rate, layout=layout)
        if coding.bit_rate:
            stream.bit_rate = coding.bit_rate
        resampler = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
        for at in range(0, levels.shape[1], 8192):
            block = np.ascontiguousarray(levels[:, at : at + 8192].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
            frame.sample_rate, frame.pts = source_rate, at
            for converted in resampler.resample(frame):
                output.mux(stream.encode(converted))
        for converted in resampler.resample(None):
            output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    return path.read_bytes()


def write_tracks(path, tracks, *, default=None, rate=16_000):
    """Write levels [sample] as FLAC tracks of a Matroska file; `default` is the index of the one marked as default."""
    with av.open(str(path), "w", format="matroska", options={"default_mode": "passthrough"}) as output:
        streams = []
        for index in range(len(tracks)):
            stream = output.add_stream("flac", rate=rate, layout="mono")
            stream.disposition = av.stream.Disposition.default if index == default else av.stream.Disposition(0)
            streams.append(stream)
        for stream, levels in zip(streams, tracks, strict=True):
            for at in range(0, len(levels), 4096):
                samples = np.round(levels[None, at : at + 4096] * 32_767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate, frame.pts = rate, at
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path.read_bytes()


def voice(spoken, seconds=12.0):
    """The spoken test sentences as levels in [-1, 1], at 22 050 Hz."""
    return spoken.upto(seconds).astype(np.float64) / 32_768


def codes(audio):
    return [notice.code for notice in audio.notices]
