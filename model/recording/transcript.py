"""Transcripts of all accepted formats, as one sequence of utterances; the content decides the format."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from model.errors import TranscriptUnreadable
from model.recording.captions import TIMING, parse_captions
from model.recording.plain_text import parse_plain_text
from model.recording.spoken_json import parse_json
from model.recording.utterance import Utterance

__all__ = ["Transcript", "Utterance", "parse_transcript"]

LONGEST_SECONDS = 7 * 24 * 3600.0
# NUL and other control characters mark a binary file.
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_JSON = re.compile(r'\s*(\{\s*["}]|\[\s*[\[{\]])')


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The utterances in order of time; without times in the order of the file."""

    utterances: tuple[Utterance, ...]

    @property
    def timed(self) -> bool:
        """Whether every utterance has a start and an end."""
        return all(utterance.start is not None and utterance.end is not None for utterance in self.utterances)

    @property
    def words(self) -> int:
        """Number of words of all speakers, separated by white space."""
        return sum(len(utterance.text.split()) for utterance in self.utterances)


def parse_transcript(content: bytes) -> Transcript:
    """Parse plain text, WebVTT, SubRip or JSON (utterances, or the output of Whisper); the content decides.

    Times are kept only if every utterance has them. Raises TranscriptUnreadable with the number of the malformed line
    or item; the message contains no words of the transcript.
    """
    text = _decoded(content)
    utterances = [utterance for utterance in _parse(text) if utterance.text]
    if not any(character.isalnum() for utterance in utterances for character in utterance.text):
        raise TranscriptUnreadable("The transcript holds no words.")
    return Transcript(utterances=_in_order(utterances))


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TranscriptUnreadable("The transcript is not UTF-8 text.") from error
    if _BINARY.search(text):
        raise TranscriptUnreadable("The transcript holds control characters: it is not text.")
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _parse(text: str) -> list[Utterance]:
    if re.match(r"WEBVTT(?!\S)", text):
        return parse_captions(text, header=True)
    if _JSON.match(text):
        return parse_json(text)
    opening = [line for line in text[:4096].split("\n") if line.strip()][:2]
    if any(TIMING.match(line) for line in opening):
        return parse_captions(text, header=False)
    return parse_plain_text(text)


def _in_order(utterances: list[Utterance]) -> tuple[Utterance, ...]:
    times = [
        (utterance.start, utterance.end)
        for utterance in utterances
        if utterance.start is not None and utterance.end is not None
    ]
    if len(times) < len(utterances):
        return tuple(replace(utterance, start=None, end=None) for utterance in utterances)
    for number, (start, end) in enumerate(times, start=1):
        if not 0 <= start <= end <= LONGEST_SECONDS:
            raise TranscriptUnreadable(
                f"Utterance {number} has impossible times: 0 <= start <= end must hold, in seconds."
            )
    order = sorted(range(len(times)), key=lambda at: times[at])
    return tuple(utterances[at] for at in order)
