"""Reads the files of a client as a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model.config import AudioLimits
from model.recording.audio import Audio, never_cancelled
from model.recording.decoding import decode
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.recording import Recording
from model.recording.transcript import parse_transcript

SAMPLES = "samples.pcm"


def read_recording(
    *,
    audio: Path | None,
    transcript: bytes | None,
    scratch: Path,
    limits: AudioLimits,
    options: RecordingOptions = NO_OPTIONS,
    check: Callable[[], None] = never_cancelled,
) -> Recording:
    """Decode and parse; the samples stay in the folder `scratch`, which must outlive the recording.

    `check` is called often, also while the samples are read later, and may raise to stop. Raises RecordingError for
    files that cannot be used.
    """
    return Recording(
        audio=None if audio is None else _decode(audio, scratch / SAMPLES, limits, options, check),
        transcript=None if transcript is None else parse_transcript(transcript, limits),
    )


def _decode(
    audio: Path, scratch: Path, limits: AudioLimits, options: RecordingOptions, check: Callable[[], None]
) -> Audio:
    return decode(
        audio,
        scratch,
        limits,
        track=options.audio_track,
        participant_channel=options.participant_channel,
        check=check,
    )
