"""Synthetic interviews as files: FLAC audio, transcripts as WebVTT and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
from jaxtyping import Int16

from training.synthetic.dialogue import SAMPLE_RATE, Utterance

_FRAME = 4096


def write_flac(path: Path, samples: Int16[np.ndarray, " sample"]) -> None:
    """Writes 16 kHz mono samples as FLAC; equal samples give equal bytes."""
    with av.open(str(path), mode="w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, options={"flags": "+bitexact"})
        stream.layout = "mono"
        stream.format = "s16"
        for start in range(0, len(samples), _FRAME):
            chunk = np.ascontiguousarray(samples[None, start : start + _FRAME])
            frame = av.AudioFrame.from_ndarray(chunk, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_webvtt(path: Path, utterances: Iterable[Utterance]) -> None:
    """Writes a transcript as WebVTT with a voice tag on every cue."""
    cues = [f"{_stamp(one.start)} --> {_stamp(one.end)}\n<v {one.speaker}>{one.text}</v>\n" for one in utterances]
    path.write_text("WEBVTT\n\n" + "\n".join(cues), encoding="utf-8")


def write_utterances(path: Path, utterances: Iterable[Utterance]) -> None:
    """Writes a transcript as JSON utterances with `start`, `end`, `speaker` and `text`."""
    document = [asdict(one) for one in utterances]
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
