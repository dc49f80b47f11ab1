"""Utterances: the unit of a transcript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Words of one speaker; `start` and `end` in seconds of the recording, None where the transcript has no times."""

    start: float | None
    end: float | None
    text: str
    speaker: str | None


def divide_utterance(utterance: Utterance, parts: Sequence[tuple[str | None, str]]) -> list[Utterance]:
    """The utterance as several, one for each pair of speaker and text; they share its time by their letters."""
    letters = sum(len(text) for _, text in parts)
    divided, before = [], 0
    for speaker, text in parts:
        after = before + len(text)
        start, end = _moment(utterance, before, letters), _moment(utterance, after, letters)
        divided.append(Utterance(start=start, end=end, text=text, speaker=speaker))
        before = after
    return divided


def _moment(utterance: Utterance, letters: int, total: int) -> float | None:
    if utterance.start is None or letters == 0:
        return utterance.start
    if utterance.end is None or letters == total:
        return utterance.end
    return utterance.start + (utterance.end - utterance.start) * letters / total
