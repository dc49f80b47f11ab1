"""Utterances: the unit of a transcript."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Words of one speaker; `start` and `end` in seconds of the recording, None where the transcript has no times."""

    start: float | None
    end: float | None
    text: str
    speaker: str | None
