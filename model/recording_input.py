"""What was found in the files of a recording, and whose speech was scored: `result.input` of the service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from model.recording.recording import Recording
from model.segments.segment import Segmentation
from model.segments.speakers import HeardSpeaker


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInput:
    """The audio file: sha256 of its bytes, what it holds, and which track and channels were used (from 1).

    `container` and `codec` are lower-case names (docs/audio.md). `level_dbfs` is the active level of the
    scored speech. `bits` of a sample is None for lossy codecs.
    """

    sha256: str
    seconds: float
    level_dbfs: float | None
    container: str
    codec: str
    sample_rate: int
    channels: int
    channels_used: tuple[int, ...]
    bits: int | None
    bit_rate: int | None
    tracks: int
    track: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptInput:
    """The transcript: sha256 of its bytes, format and unit of time as found (docs/transcripts.md), and its size.

    `time_unit` is None without times. `language` is the ISO 639 code of the scored words, None if it is not sure.
    """

    sha256: str
    format: str
    time_unit: str | None
    utterances: int
    words: int
    language: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInput:
    """Both files, None where none was sent, and the speakers of the transcript with those who were scored."""

    audio: AudioInput | None
    transcript: TranscriptInput | None
    speakers: tuple[HeardSpeaker, ...]


def describe_input(
    recording: Recording, segmentation: Segmentation, *, audio: Path | None, transcript: bytes | None
) -> RecordingInput:
    """Describe the files that `recording` was read from."""
    return RecordingInput(
        audio=None if audio is None else _describe_audio(recording, segmentation, audio),
        transcript=None if transcript is None else _describe_transcript(recording, segmentation, transcript),
        speakers=segmentation.speakers,
    )


def _describe_audio(recording: Recording, segmentation: Segmentation, file: Path) -> AudioInput | None:
    if recording.audio is None:
        return None
    source = recording.audio.source
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return AudioInput(
        sha256=digest,
        seconds=recording.audio.seconds,
        level_dbfs=segmentation.quality.level_dbfs,
        container=source.container,
        codec=source.codec,
        sample_rate=source.sample_rate,
        channels=source.channels,
        channels_used=source.channels_used,
        bits=source.bits,
        bit_rate=source.bit_rate,
        tracks=source.tracks,
        track=source.track,
    )


def _describe_transcript(recording: Recording, segmentation: Segmentation, content: bytes) -> TranscriptInput | None:
    transcript = recording.transcript
    if transcript is None:
        return None
    return TranscriptInput(
        sha256=hashlib.sha256(content).hexdigest(),
        format=transcript.format,
        time_unit=transcript.time_unit,
        utterances=len(transcript.utterances),
        words=transcript.words,
        language=None if segmentation.language is None else segmentation.language.code,
    )
