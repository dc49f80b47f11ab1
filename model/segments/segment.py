"""Segments: 10-30 s of speech with the words spoken in them."""

from __future__ import annotations

from dataclasses import dataclass

from model.segments.quality import RecordingQuality


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the recording, in seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment; its audio is its spans one after the other, none where the recording has no audio.

    `start` and `end`, in seconds of the recording, reach from the first span to the last and so hold pauses and
    other speakers too. `text` may be empty.
    """

    index: int
    spans: tuple[Span, ...]
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """A recording cut into segments, and what was found on the way."""

    segments: tuple[Segment, ...]
    quality: RecordingQuality
    has_audio: bool
    has_text: bool

    @property
    def abstains(self) -> bool:
        """Whether the recording is too poor to score: a hard flag says why."""
        return any(flag.hard for flag in self.quality.flags)
