"""SubRip (SRT): numbered cues; the empty line between them may be missing, so they are split at their timings."""

from __future__ import annotations

import re

from model.errors import TranscriptUnreadable
from model.recording.formats.captions.cue_text import split_voices
from model.recording.formats.captions.webvtt import ARROW, TIMING
from model.recording.formats.clock import parse_clock
from model.recording.formats.parsed import ParsedTranscript
from model.recording.utterance import Utterance, divide_utterance

OPENING_LINES = 50
# Nothing but a clock time and arrows: a timing that lost a part.
_BROKEN_TIMING = re.compile(r"[\s0-9:.,>\-\u2013\u2014\u2192]+$")
_CLOCK_INSIDE = re.compile(r"[0-9]{1,3}:[0-9]{1,2}:[0-9]")
_RIGHT = "00:00:01,000 --> 00:00:04,000 is right"


def looks_like_subrip(text: str) -> bool:
    """Whether one of the first lines is the timing of a cue, right or malformed."""
    opening = [line for line in text[:20_000].split("\n") if line.strip()][:OPENING_LINES]
    return any(ARROW in line and _is_timing(line) for line in opening)


def parse_subrip(text: str) -> ParsedTranscript:
    """Timed utterances with speakers from `<v Speaker>` voices or consistent `Speaker: ` prefixes.

    Raises TranscriptUnreadable with the number of a malformed line, wherever it stands: a cue that cannot be read
    would leave its words to the cue before.
    """
    lines = text.split("\n")
    timings = [number for number, line in enumerate(lines) if _is_timing(line)]
    counted = bool(timings) and _counter_before(lines, timings[0], 0) is not None
    _require_no_words_before(lines, timings[0], counted=counted)
    utterances: list[Utterance] = []
    for at, following in zip(timings, [*timings[1:], len(lines)], strict=True):
        counter = _counter_before(lines, following, at + 1) if counted and following < len(lines) else None
        words = lines[at + 1 : following if counter is None else counter]
        _require_no_lost_cue(lines, at, at + 1 + len(words))
        start, end = _times(lines[at], at + 1)
        payload = "\n".join(line.strip() for line in words).strip()
        utterances += divide_utterance(Utterance(start=start, end=end, text="", speaker=None), split_voices(payload))
    return ParsedTranscript(format="subrip", time_unit="clock", utterances=utterances)


def _is_timing(line: str) -> bool:
    if ARROW not in line:
        return _BROKEN_TIMING.match(line) is not None and _CLOCK_INSIDE.search(line) is not None
    if TIMING.match(line):
        return True
    before = line[: line.index(ARROW)].strip()
    return before[:1].isdigit() or before[:1] in {"-", ":", ""}


def _times(line: str, number: int) -> tuple[float, float]:
    match = TIMING.match(line)
    start, end = (parse_clock(match[1]), parse_clock(match[2])) if match else (None, None)
    if start is None or end is None:
        raise TranscriptUnreadable(f"Line {number} has malformed times; {_RIGHT}.")
    if start > end:
        raise TranscriptUnreadable(f"Line {number} has impossible times: the cue ends before it starts.")
    return start, end


def _counter_before(lines: list[str], timing: int, first: int) -> int | None:
    """The line of the cue's number: the last line with characters before the timing, if it is a number."""
    at = timing - 1
    while at >= first and not lines[at].strip():
        at -= 1
    return at if at >= first and _is_number(lines[at]) else None


def _is_number(line: str) -> bool:
    number = line.strip()
    return number.isascii() and number.isdigit()


def _require_no_words_before(lines: list[str], timing: int, *, counted: bool) -> None:
    before = [number for number, line in enumerate(lines[:timing]) if line.strip()]
    if len(before) > int(counted):
        raise TranscriptUnreadable(
            f"Line {before[0] + 1} belongs to no cue: a line with its times is missing; {_RIGHT}."
        )


def _require_no_lost_cue(lines: list[str], timing: int, stop: int) -> None:
    """Raise if words follow an empty line: they belong to a cue that has lost its times.

    In a file with an empty line after every line, the times too are followed by one.
    """
    if timing + 1 < stop and not lines[timing + 1]:
        return
    spoken = False
    for at in range(timing + 1, stop):
        if spoken and lines[at].strip() and not lines[at - 1]:
            raise TranscriptUnreadable(f"Line {at + 1} belongs to no cue: a line with its times is missing; {_RIGHT}.")
        spoken = spoken or bool(lines[at].strip())
