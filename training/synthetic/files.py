"""Write synthetic interviews: audio files, and transcripts as WebVTT and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import av
import numpy as np
from jaxtyping import Int16

from training.synthetic.dialogue import SAMPLE_RATE, SpokenUtterance

_FRAME = 4096
AudioKind = Literal["flac", "mp3", "opus", "m4a"]
_CODECS = {"flac": ("flac", "flac"), "mp3": ("mp3", "libmp3lame"), "opus": ("ogg", "libopus"), "m4a": ("ipod", "aac")}


def write_flac(path: Path, samples: Int16[np.ndarray, " sample"]) -> None:
    """Write 16 kHz mono samples as FLAC. Equal samples give equal bytes."""
    write_audio(path, samples, "flac", bit_rate=0)


def write_audio(path: Path, samples: Int16[np.ndarray, " sample"], kind: AudioKind, bit_rate: int) -> None:
    """Write 16 kHz mono samples in one of the accepted formats; `bit_rate` (bit/s) applies to lossy formats."""
    container, codec = _CODECS[kind]
    # `bitexact` leaves out the version of the library, so that equal samples give equal bytes.
    with av.open(str(path), mode="w", format=container, options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(
            codec, rate=48_000 if kind == "opus" else SAMPLE_RATE, layout="mono", options={"flags": "+bitexact"}
        )
        if kind != "flac":
            stream.bit_rate = bit_rate
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=context.rate, frame_size=context.frame_size or _FRAME
        )
        for frame in (*_frames(samples), None):
            for part in resampler.resample(frame):
                output.mux(stream.encode(part))
        output.mux(stream.encode(None))


def _frames(samples: Int16[np.ndarray, " sample"]) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), _FRAME):
        chunk = np.ascontiguousarray(samples[None, start : start + _FRAME])
        frame = av.AudioFrame.from_ndarray(chunk, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        yield frame


def write_webvtt(path: Path, utterances: Iterable[SpokenUtterance]) -> None:
    """Write a transcript as WebVTT with a voice tag on every cue."""
    cues = [
        f"{_stamp(utterance.start)} --> {_stamp(utterance.end)}\n<v {utterance.speaker}>{utterance.text}</v>\n"
        for utterance in utterances
    ]
    path.write_text("WEBVTT\n\n" + "\n".join(cues), encoding="utf-8")


def write_utterances(path: Path, utterances: Iterable[SpokenUtterance]) -> None:
    """Write a transcript as JSON utterances with `start`, `end`, `speaker` and `text`."""
    document = [asdict(utterance) for utterance in utterances]
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
