"""Reads the files of a client as a recording."""

from __future__ import annotations

from pathlib import Path

from model.config import AudioLimits
from model.recording.decoding import decode
from model.recording.recording import Recording
from model.recording.transcript import parse_transcript

SAMPLES = "samples.pcm"


def read_recording(*, audio: Path | None, transcript: bytes | None, scratch: Path, limits: AudioLimits) -> Recording:
    """Decode and parse; the samples stay in the folder `scratch`, which must outlive the recording.

    Raises RecordingError for files that cannot be used.
    """
    return Recording(
        audio=None if audio is None else decode(audio, scratch / SAMPLES, limits),
        transcript=None if transcript is None else parse_transcript(transcript, limits),
    )
