"""Seconds or milliseconds, found by the words that are spoken in a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from model.errors import TranscriptUnreadable
from model.recording.notice import Notice
from model.recording.utterance import Utterance
from model.recording.words import count_words

# Words a minute of an utterance. People speak at 100 to 200; the bounds leave room for cues that are much longer or
# shorter than their words, and are less than a factor of 1000 apart: no transcript fits both units.
SLOWEST, FASTEST = 3.3, 3000.0
MILLISECONDS = 1000.0
TICKS = 1e7


def settle_unit(
    utterances: Sequence[Utterance], *, usual: str = "seconds"
) -> tuple[list[Utterance], str | None, tuple[Notice, ...]]:
    """The utterances in seconds, the unit in which their times were given, and a notice if it is not the usual one.

    The median of words a minute decides. Raises TranscriptUnreadable if neither seconds nor milliseconds fit.
    """
    rate = _words_a_minute(utterances)
    if rate is None:
        return list(utterances), None, ()
    unit = "seconds" if SLOWEST <= rate <= FASTEST else "milliseconds"
    if unit == "milliseconds" and not SLOWEST <= rate * MILLISECONDS <= FASTEST:
        raise TranscriptUnreadable(
            "The times of the transcript are neither seconds nor milliseconds: as seconds they would mean "
            f"{rate:.3g} words a minute, as milliseconds {rate * MILLISECONDS:.3g}.",
            advice="Give start and end of each utterance in seconds from the start of the recording.",
        )
    if unit == "seconds":
        return list(utterances), unit, _notice(unit, usual)
    return [in_seconds(utterance, MILLISECONDS) for utterance in utterances], unit, _notice(unit, usual)


def in_seconds(utterance: Utterance, units_per_second: float) -> Utterance:
    """The utterance with its times, which are given in another unit, in seconds."""
    start, end = utterance.start, utterance.end
    return replace(
        utterance,
        start=None if start is None else start / units_per_second,
        end=None if end is None else end / units_per_second,
    )


def _words_a_minute(utterances: Sequence[Utterance]) -> float | None:
    """None without times; with starts alone, the words of the whole over its length."""
    counted = [(count_words(utterance.text), utterance.start, utterance.end) for utterance in utterances]
    rates = [
        words * 60 / (end - start)
        for words, start, end in counted
        if words and start is not None and end is not None and end > start
    ]
    if rates:
        return median(rates)
    moments = [moment for _, start, end in counted for moment in (start, end) if moment is not None]
    if not moments:
        return None
    length = max(moments) - min(0.0, *moments)
    return sum(words for words, _, _ in counted) * 60 / length if length > 0 else SLOWEST


def _notice(unit: str, usual: str) -> tuple[Notice, ...]:
    if unit == usual:
        return ()
    message = f"The times were read as {unit}: as {usual} the words would be too few or too many for their time."
    return (Notice(code="transcript_time_unit", message=message),)
