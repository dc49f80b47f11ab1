"""Times of the utterances of any format: missing ones filled in, impossible ones bounded, all in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from model.errors import TranscriptUnreadable
from model.recording.formats.parsed import count_notice
from model.recording.notice import Notice
from model.recording.utterance import Utterance
from model.recording.words import count_words

# Recognisers give starts slightly before 0, after padding.
EARLIEST = -1.0
# A time that no person needs for the words: 5 s for each, and half a minute.
LONGEST_WORD, LONGEST_REST = 5.0, 30.0
# The time that is left to words whose end is missing or impossible: a word a second, which is slow.
SLOW_WORD = 1.0
# The last utterance has no next start that bounds it: two words a second, so that it does not outlast the recording.
LAST_WORD = 0.5
LEAST_TIMED = 0.5


def settle_times(
    utterances: Sequence[Utterance], *, format_name: str, longest: float
) -> tuple[tuple[Utterance, ...], tuple[Notice, ...]]:
    """Utterances in the order of their times, each with start and end in seconds, or all without times.

    An utterance without times among timed ones gets the time between its neighbours; if more than half have none, all
    times are left out. `longest` is the longest recording in seconds. Raises TranscriptUnreadable with the number of
    an utterance that has impossible times.
    """
    timed = sum(1 for utterance in utterances if utterance.start is not None)
    if timed < LEAST_TIMED * len(utterances) or not timed:
        return _without_times(utterances, timed)
    clamped, early = _clamped(utterances)
    shifted, shift_notice = _from_first_time(clamped, format_name, longest)
    filled, fill_notices = _filled(shifted)
    for number, utterance in enumerate(filled, start=1):
        _require_possible(utterance, number)
    ordered = sorted(filled, key=_times)
    bounded, bound_notice = _bounded(ordered)
    return tuple(sorted(bounded, key=_times)), (*early, *shift_notice, *fill_notices, *bound_notice)


def _without_times(utterances: Sequence[Utterance], timed: int) -> tuple[tuple[Utterance, ...], tuple[Notice, ...]]:
    untimed = tuple(
        Utterance(start=None, end=None, text=utterance.text, speaker=utterance.speaker) for utterance in utterances
    )
    if not timed:
        return untimed, ()
    message = f"Only {timed} of {len(utterances)} utterances have times, so the times were left out."
    return untimed, (Notice(code="transcript_times_left_out", message=message),)


def _clamped(utterances: Sequence[Utterance]) -> tuple[list[Utterance], tuple[Notice, ...]]:
    early: list[str] = []
    clamped: list[Utterance] = []
    for number, utterance in enumerate(utterances, start=1):
        start, end = utterance.start, utterance.end
        if start is not None and EARLIEST <= start < 0:
            early.append(f"utterance {number}")
            clamped.append(replace(utterance, start=0.0, end=None if end is None else max(0.0, end)))
        else:
            clamped.append(utterance)
    return clamped, count_notice("transcript_time_clamped", "Starts slightly before 0 were set to 0", early)


def _from_first_time(
    utterances: list[Utterance], format_name: str, longest: float
) -> tuple[list[Utterance], tuple[Notice, ...]]:
    """Clock times of the day, as live captions are saved, counted from the first one."""
    starts = [utterance.start for utterance in utterances if utterance.start is not None]
    first = min(starts)
    if format_name != "labelled_text" or max(starts) <= longest or max(starts) - first > longest:
        return utterances, ()
    shifted = [
        replace(
            utterance,
            start=None if utterance.start is None else utterance.start - first,
            end=None if utterance.end is None else utterance.end - first,
        )
        for utterance in utterances
    ]
    message = (
        "The times are times of the day; they were counted from the first one, as if the recording began there. Send "
        "times from the start of the recording for exact segments."
    )
    return shifted, (Notice(code="transcript_times_shifted", message=message),)


def _filled(utterances: Sequence[Utterance]) -> tuple[list[Utterance], tuple[Notice, ...]]:
    """Every utterance with start and end: neighbours and letters give the missing ones."""
    missing = list(enumerate(utterances, start=1))
    untimed = [f"utterance {number}" for number, utterance in missing if utterance.start is None]
    endless = [f"utterance {number}" for number, utterance in missing if _has_no_end(utterance)]
    following = _following_starts(utterances)
    filled: list[Utterance] = []
    previous = 0.0
    for first, last in _gaps(utterances):
        members = utterances[first : last + 1]
        start = members[0].start
        if start is None or members[0].end is None:
            members = _spread(members, previous if start is None else start, following[last])
        filled += members
        previous = max(previous, members[-1].end or 0.0)
    notices = count_notice(
        "transcript_times_filled", "Utterances without times were given the time between their neighbours", untimed
    )
    message = "Utterances without an end last until the next one starts, at most a second for each word"
    return filled, (*notices, *count_notice("transcript_ends_estimated", message, endless))


def _has_no_end(utterance: Utterance) -> bool:
    return utterance.start is not None and utterance.end is None


def _gaps(utterances: Sequence[Utterance]) -> list[tuple[int, int]]:
    """First and last of consecutive utterances that share a gap; a timed utterance stands alone.

    A gap is shared by utterances without times, and by those without end that start together.
    """
    gaps: list[tuple[int, int]] = []
    for at, utterance in enumerate(utterances):
        before = utterances[at - 1] if at else None
        if before is not None and before.end is None and utterance.end is None and before.start == utterance.start:
            gaps[-1] = (gaps[-1][0], at)
        else:
            gaps.append((at, at))
    return gaps


def _following_starts(utterances: Sequence[Utterance]) -> list[float | None]:
    """For each utterance the next later start after it in the file; None after the last."""
    following: list[float | None] = [None] * len(utterances)
    later: float | None = None
    for at in range(len(utterances) - 2, -1, -1):
        start, own = utterances[at + 1].start, utterances[at].start
        if start is not None:
            later = start if own is None or start != own else following[at + 1]
        following[at] = later
    return following


def _spread(members: Sequence[Utterance], start: float, stop: float | None) -> list[Utterance]:
    """The members one after the other from `start`, at most until `stop`, in proportion to their letters."""
    words = sum(max(1, count_words(member.text)) for member in members)
    end = start + words * LAST_WORD if stop is None else min(max(start, stop), start + words * SLOW_WORD)
    letters = [max(1, len(member.text)) for member in members]
    total, before = sum(letters), 0
    spread = []
    for member, count in zip(members, letters, strict=True):
        first = start + (end - start) * before / total
        before += count
        spread.append(replace(member, start=first, end=start + (end - start) * before / total))
    return spread


def _require_possible(utterance: Utterance, number: int) -> None:
    start, end = _times(utterance)
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end):
        raise TranscriptUnreadable(f"Utterance {number} has impossible times: 0 <= start <= end must hold, in seconds.")


def _bounded(utterances: Sequence[Utterance]) -> tuple[list[Utterance], tuple[Notice, ...]]:
    """Ends that no person needs for the words, moved to a slow rate of speech and not past the next start."""
    bounded: list[Utterance] = []
    moved: list[str] = []
    for at, utterance in enumerate(utterances):
        start, end = _times(utterance)
        words = count_words(utterance.text)
        if end - start > LONGEST_REST + LONGEST_WORD * words:
            following = utterances[at + 1].start if at + 1 < len(utterances) else None
            end = start + max(1, words) * SLOW_WORD
            if following is not None and following > start:
                end = min(end, following)
            moved.append(f"utterance {at + 1}, at {start:.1f} s")
        bounded.append(utterance if end == utterance.end else replace(utterance, end=end))
    message = "Ends that are impossibly late for the words were set to a second for each word"
    return bounded, count_notice("transcript_end_bounded", message, moved)


def _times(utterance: Utterance) -> tuple[float, float]:
    return utterance.start or 0.0, utterance.end or 0.0
