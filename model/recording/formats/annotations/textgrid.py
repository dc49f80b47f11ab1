"""Praat TextGrid, in its long and its short text form."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from model.errors import TranscriptUnreadable
from model.recording.formats.parsed import ParsedTranscript, count_notice
from model.recording.utterance import Utterance

_HEADER = re.compile(r'\s*(?:File type\s*=\s*)?"ooTextFile')
# Praat reads strings, numbers and flags that stand between white space and skips all other characters; so both
# forms are one. Repetition is possessive: no match is tried twice.
_TOKEN = re.compile(r'"((?:[^"]++|"")*+)"|(?<![^\s])(-?[0-9]{1,15}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,3})?)(?!\S)')
# Names of tiers that are no speakers, and labels of forced aligners that are no words.
_LEVELS = frozenset({"words", "word", "text", "transcript", "transcription", "utterances", "utterance", "orthography"})
_PHONES = ("phones", "phone", "phonemes", "segments", "syllables")
_NO_WORDS = frozenset({"sil", "sp", "spn", "<sil>", "<eps>", "<p:>", "#"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tier:
    """A tier of intervals: its name, and start, end and words of each interval that has words."""

    name: str
    intervals: list[tuple[float, float, str]]


class _Tokens:
    """The strings and numbers of a file in order; a missing or wrong one refuses the file."""

    def __init__(self, text: str) -> None:
        self._tokens: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self.place = "header"

    def string(self) -> str:
        token = next(self._tokens, None)
        if token is None or token[1] is None:
            raise TranscriptUnreadable(f"The TextGrid ends or is malformed at its {self.place}.")
        return token[1].replace('""', '"')

    def number(self) -> float:
        token = next(self._tokens, None)
        if token is None or token[2] is None:
            raise TranscriptUnreadable(f"The TextGrid ends or is malformed at its {self.place}.")
        return float(token[2])

    def count(self) -> int:
        number = self.number()
        if not math.isfinite(number):
            raise TranscriptUnreadable(f"The TextGrid has no number of items at its {self.place}.")
        return int(number)


def looks_like_textgrid(text: str) -> bool:
    """Whether the text begins as a text file of Praat."""
    return _HEADER.match(text) is not None


def parse_textgrid(text: str) -> ParsedTranscript:
    """Timed utterances of all interval tiers; the name of a tier is the speaker.

    Tiers of points and of phones, and a tier that repeats the words of another, are left out with a notice. Raises
    TranscriptUnreadable with the tier and interval of a malformed entry.
    """
    tiers, skipped = _read(text)
    spoken: list[_Tier] = []
    seen: set[str] = set()
    for number, tier in enumerate(tiers, start=1):
        words = " ".join(" ".join(words for _, _, words in tier.intervals).casefold().split())
        if tier.name.casefold().endswith(_PHONES) or words in seen:
            skipped.append(f"tier {number}")
        elif words:
            seen.add(words)
            spoken.append(tier)
    utterances = [
        Utterance(start=start, end=end, text=words, speaker=_speaker(tier.name))
        for tier in spoken
        for start, end, words in tier.intervals
    ]
    message = "Tiers of points or phones, or with the words of another tier, were left out"
    notices = count_notice("transcript_tier_skipped", message, skipped)
    return ParsedTranscript(format="textgrid", time_unit="seconds", utterances=utterances, notices=notices)


def _read(text: str) -> tuple[list[_Tier], list[str]]:
    tokens = _Tokens(text)
    if tokens.string() != "ooTextFile" or tokens.string() != "TextGrid":
        raise TranscriptUnreadable("The file is of Praat, but not a TextGrid of intervals.")
    tokens.number()
    tokens.number()
    tiers: list[_Tier] = []
    skipped: list[str] = []
    for number in range(1, tokens.count() + 1):
        tokens.place = f"tier {number}"
        kind, name = tokens.string(), tokens.string()
        tokens.number()
        tokens.number()
        size = tokens.count()
        if kind == "IntervalTier":
            tiers.append(_Tier(name=name.strip(), intervals=list(_intervals(tokens, number, size))))
        else:
            skipped.append(f"tier {number}")
            for _ in range(size):
                tokens.number()
                tokens.string()
    return tiers, skipped


def _intervals(tokens: _Tokens, tier: int, size: int) -> Iterator[tuple[float, float, str]]:
    for number in range(1, size + 1):
        tokens.place = f"interval {number} of tier {tier}"
        start, end, words = tokens.number(), tokens.number(), tokens.string().strip()
        if not words or words.casefold() in _NO_WORDS:
            continue
        if start > end:
            raise TranscriptUnreadable(f"The {tokens.place} of the TextGrid ends before it starts.")
        yield start, end, words


def _speaker(name: str) -> str | None:
    """The speaker that a tier is named after; aligners name tiers as `Speaker - words`."""
    speaker, dash, level = name.rpartition(" - ")
    if dash and level.casefold() in _LEVELS:
        return speaker.strip() or None
    return None if name.casefold() in _LEVELS else name or None
