"""The material that conditions change: mono 16 kHz samples, and utterances."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float32

from model.config import AudioLimits
from model.recording.audio import SAMPLE_RATE
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.reading import read_recording
from model.recording.utterance import Utterance

FRAME = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingMaterial:
    """One recording. `samples` are mono at 16 kHz in [-1, 1] or None, `utterances` are None without a transcript.

    `others` are samples of other speakers, for babble noise.
    """

    samples: Float32[np.ndarray, " sample"] | None
    utterances: tuple[Utterance, ...] | None
    options: RecordingOptions = NO_OPTIONS
    others: tuple[Float32[np.ndarray, " sample"], ...] = ()

    @property
    def timed(self) -> bool:
        """Whether every utterance has times."""
        return self.utterances is not None and all(each.start is not None for each in self.utterances)

    def between(self, start: float, end: float) -> RecordingMaterial:
        """The material from `start` to `end`, in seconds; needs times. An utterance goes where its middle is."""
        samples = self.samples
        if samples is not None:
            samples = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        return replace(self, samples=samples, utterances=_between(self.utterances or (), start, end))

    @property
    def seconds(self) -> float:
        """Length of the audio, or the end of the last utterance."""
        if self.samples is not None:
            return len(self.samples) / SAMPLE_RATE
        return max((each.end or 0.0 for each in self.utterances or ()), default=0.0)


def read_material(
    audio: Path | None, transcript: Path | None, options: RecordingOptions, scratch: Path
) -> RecordingMaterial:
    """Decode and parse files. The track and the channel of the options are chosen here. Raises RecordingError."""
    recording = read_recording(
        audio=audio,
        transcript=None if transcript is None else transcript.read_bytes(),
        scratch=scratch,
        limits=AudioLimits(),
        options=options,
    )
    samples = None if recording.audio is None else recording.audio.read(0, recording.audio.samples)
    return RecordingMaterial(
        samples=samples,
        utterances=None if recording.transcript is None else recording.transcript.utterances,
        options=RecordingOptions(participant=options.participant, interviewer=options.interviewer),
    )


def write_wave(path: Path, samples: Float32[np.ndarray, " sample"]) -> Path:
    """Write mono 16 kHz samples as 32-bit float WAV, which keeps what exceeds full scale or lies far below it."""
    with av.open(str(path), mode="w", format="wav") as output:
        stream = output.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="mono")
        for start in range(0, len(samples), FRAME):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + FRAME].copy(), format="flt", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_transcript(utterances: Sequence[Utterance]) -> bytes:
    """Utterances as JSON, as a client sends them."""
    fields = [
        {
            name: value
            for name, value in (
                ("start", utterance.start),
                ("end", utterance.end),
                ("speaker", utterance.speaker),
                ("text", utterance.text),
            )
            if value is not None
        }
        for utterance in utterances
    ]
    return json.dumps({"utterances": fields}).encode()


def _between(utterances: Sequence[Utterance], start: float, end: float) -> tuple[Utterance, ...]:
    part = []
    for utterance in utterances:
        begin, until = utterance.start or 0.0, utterance.end or 0.0
        if start <= (begin + until) / 2 < end:
            part.append(replace(utterance, start=max(begin, start) - start, end=min(until, end) - start))
    return tuple(part)
