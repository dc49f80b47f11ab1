"""A recording: decoded audio, parsed transcript, or both."""

from __future__ import annotations

from dataclasses import dataclass

from model.recording.audio import Audio
from model.recording.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Audio, transcript or both; their times are seconds from the start of the recording."""

    audio: Audio | None
    transcript: Transcript | None

    def __post_init__(self) -> None:
        if self.audio is None and self.transcript is None:
            raise ValueError("a recording has audio, a transcript or both")
