"""SBV of YouTube and LRC of lyrics: a time before the words, and nothing else."""

from __future__ import annotations

import re

from model.errors import TranscriptUnreadable
from model.recording.formats.clock import CLOCK, parse_clock
from model.recording.formats.parsed import ParsedTranscript
from model.recording.utterance import Utterance

_SBV_TIMING = re.compile(rf"\s*({CLOCK})\s*,\s*({CLOCK})\s*$")
_SBV_ATTEMPT = re.compile(r"\s*-?[0-9]{1,4}:[0-9:.\-]{1,20}\s*,\s*-?[0-9]{1,4}:")
_LRC_TAG = re.compile(r"\[([0-9]{1,3}:[0-9]{1,2}(?:[.:][0-9]{1,3})?)\]")
_LRC_META = re.compile(r"\[(?:ar|al|ti|au|by|re|ve|length|offset|tool|lang|la|#):[^\]\n]*\]$", re.IGNORECASE)
_LRC_WORD_TIME = re.compile(r"<[0-9]{1,3}:[0-9]{1,2}(?:[.:][0-9]{1,3})?>")
# A line that is sung again has several times; without a bound its words would be multiplied by them.
MOST_TIMES = 20
OPENING_LINES = 50
_LRC_OFFSET = re.compile(r"\[offset:\s*([+-]?[0-9]{1,7})\s*\]", re.IGNORECASE)


def looks_like_sbv(text: str) -> bool:
    """Whether the first line is `start,end` in clock times."""
    return _SBV_ATTEMPT.match(text.lstrip("\n ")) is not None


def parse_sbv(text: str) -> ParsedTranscript:
    """Timed utterances; raises TranscriptUnreadable with the number of a malformed line."""
    utterances: list[Utterance] = []
    current: tuple[float, float] | None = None
    words: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if not line.strip():
            continue
        if not _SBV_ATTEMPT.match(line):
            words.append(line.strip())
            continue
        utterances += _cue(current, words)
        current, words = _sbv_times(line, number), []
    utterances += _cue(current, words)
    return ParsedTranscript(format="sbv", time_unit="clock", utterances=utterances)


def looks_like_lrc(text: str) -> bool:
    """Whether each of the first lines begins with a tag of LRC, and at least one with a fraction of a second."""
    lines = [line.strip() for line in text[:20_000].split("\n") if line.strip()][:OPENING_LINES]
    timed = [_LRC_TAG.match(line) for line in lines]
    bare = [line for line, match in zip(lines, timed, strict=True) if match is None]
    exact = any("." in match[1] for match in timed if match is not None)
    return exact and all(_LRC_META.match(line) for line in bare)


def parse_lrc(text: str) -> ParsedTranscript:
    """Timed utterances: each line lasts until the next time, the last one has no end.

    Raises TranscriptUnreadable with the number of a malformed line.
    """
    offset = _LRC_OFFSET.search(text)
    shift = int(offset[1]) / 1000 if offset else 0.0
    starts: list[tuple[float, str]] = []
    written = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line)
    for number, line in written:
        times, at = [], len(line) - len(line.lstrip())
        while (tag := _LRC_TAG.match(line, at)) is not None:
            times.append(_lrc_time(tag[1], number))
            at = tag.end()
        if len(times) > MOST_TIMES or not (times or not line.strip() or _LRC_META.match(line.strip())):
            raise TranscriptUnreadable(
                f"Line {number} has no time, or more than {MOST_TIMES}; [00:01.50] is right in LRC."
            )
        starts += [(max(0.0, time - shift), _LRC_WORD_TIME.sub("", line[at:]).strip()) for time in times]
    starts.sort(key=lambda pair: pair[0])
    ends: list[float | None] = [start for start, _ in starts[1:]]
    utterances = [
        Utterance(start=start, end=end, text=words, speaker=None)
        for (start, words), end in zip(starts, [*ends, None], strict=True)
        if words
    ]
    return ParsedTranscript(format="lrc", time_unit="clock", utterances=utterances)


def _cue(times: tuple[float, float] | None, words: list[str]) -> list[Utterance]:
    if times is None:
        return []
    return [Utterance(start=times[0], end=times[1], text="\n".join(words), speaker=None)]


def _sbv_times(line: str, number: int) -> tuple[float, float]:
    match = _SBV_TIMING.match(line)
    start, end = (parse_clock(match[1]), parse_clock(match[2])) if match else (None, None)
    if start is None or end is None or start > end:
        raise TranscriptUnreadable(f"Line {number} has malformed times; 0:00:01.000,0:00:04.000 is right in SBV.")
    return start, end


def _lrc_time(clock: str, number: int) -> float:
    minutes, _, rest = clock.partition(":")
    seconds = parse_clock(f"{minutes}:{rest.replace(':', '.')}")
    if seconds is None:
        raise TranscriptUnreadable(f"Line {number} has a malformed time; [00:01.50] is right in LRC.")
    return seconds
