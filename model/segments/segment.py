"""Segments: 10-30 s of speech with the words spoken in it."""

from __future__ import annotations

from dataclasses import dataclass

from model.segments.language import FoundLanguage
from model.segments.level import UNCHANGED, Levelling
from model.segments.quality import RecordingQuality
from model.segments.speakers import HeardSpeaker


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A range of the recording, in seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment; its audio is the concatenation of its spans, which are empty without audio.

    `start` and `end`, in seconds of the recording, reach from the first span to the last, across pauses and other
    speakers. `text` may be empty.
    """

    index: int
    spans: tuple[Span, ...]
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """The segments of a recording, and its quality."""

    segments: tuple[Segment, ...]
    quality: RecordingQuality
    has_audio: bool
    has_text: bool
    speakers: tuple[HeardSpeaker, ...] = ()
    levelling: Levelling = UNCHANGED
    language: FoundLanguage | None = None

    @property
    def abstains(self) -> bool:
        """Whether a hard quality flag forbids a score. See docs/method.md (K7)."""
        return any(flag.hard for flag in self.quality.flags)
