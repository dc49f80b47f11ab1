"""WebVTT, as the lenient parser of the W3C specification reads it: a block that is no cue costs only itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from model.errors import TranscriptUnreadable
from model.recording.formats.captions.cue_text import has_inline_times, split_voices
from model.recording.formats.clock import CLOCK, parse_clock
from model.recording.formats.parsed import ParsedTranscript, count_notice
from model.recording.notice import Notice
from model.recording.utterance import Utterance, divide_utterance

ARROW = "-->"
TIMING = re.compile(rf"\s*({CLOCK})\s*-->\s*({CLOCK})(?=\s|$)")
_NO_CUE = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Lines up to an empty one, or up to the timing of the next cue; `line` is the number of the first."""

    line: int
    timing: str | None
    words: list[str]
    before: str


def parse_webvtt(text: str) -> ParsedTranscript:
    """Timed utterances; speakers come from `<v Speaker>` voices, else from consistent `Speaker: ` prefixes.

    Blocks without a timing and cues with malformed times are skipped with a notice. Raises TranscriptUnreadable with
    the number of the first such line if no cue is left.
    """
    utterances: list[Utterance] = []
    skipped: list[int] = []
    payloads: list[tuple[Utterance, str]] = []
    for block in _blocks(text.split("\n")):
        times = _times(block.timing)
        if times is not None:
            cue = Utterance(start=times[0], end=times[1], text="", speaker=None)
            payloads.append((cue, "\n".join(block.words)))
        elif block.timing is not None or not _NO_CUE.match(block.before):
            skipped.append(block.line)
    if not payloads and skipped:
        raise TranscriptUnreadable(
            f"Line {skipped[0]} of the WebVTT transcript belongs to no cue, and no other cue can be read; "
            "00:00:01.000 --> 00:00:04.000 is a right timing."
        )
    rolled, repeats = _without_rolled_lines(payloads)
    for cue, payload in rolled:
        utterances += divide_utterance(cue, split_voices(payload))
    notices = count_notice(
        "transcript_cue_skipped",
        "Blocks of the WebVTT transcript that are no cues with a right timing were skipped",
        [f"line {number}" for number in skipped],
    )
    return ParsedTranscript(format="webvtt", time_unit="clock", utterances=utterances, notices=(*notices, *repeats))


def _blocks(lines: list[str]) -> Iterator[_Block]:
    at = 1
    while at < len(lines) and lines[at] and ARROW not in lines[at]:
        at += 1
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        begin, timing, before = at, None, ""
        words: list[str] = []
        while at < len(lines) and lines[at]:
            if ARROW in lines[at]:
                if timing is not None or at - begin > 1:
                    break
                timing, before, words = lines[at], "".join(words), []
            else:
                words.append(lines[at])
            at += 1
        joined = at < len(lines) and bool(lines[at])
        if joined and timing is not None and words and words[-1].strip().isdigit():
            # The number of the next cue, which follows without an empty line.
            words.pop()
        yield _Block(line=begin + 1, timing=timing, words=words, before=before or (words or [""])[0])


def _times(timing: str | None) -> tuple[float, float] | None:
    match = TIMING.match(timing) if timing is not None else None
    if match is None:
        return None
    start, end = parse_clock(match[1]), parse_clock(match[2])
    return (start, end) if start is not None and end is not None and start <= end else None


def _without_rolled_lines(
    cues: list[tuple[Utterance, str]],
) -> tuple[list[tuple[Utterance, str]], tuple[Notice, ...]]:
    """Leave out lines that only stay on the screen: automatic captions show the line before again above a new one."""
    if not any(has_inline_times(payload) for _, payload in cues):
        return cues, ()
    kept, shown, repeats = [], "", 0
    for cue, payload in cues:
        lines = [line for line in payload.split("\n") if line.strip()]
        plain = [" ".join(words for _, words in split_voices(line)) for line in lines]
        new = [line for line, words in zip(lines, plain, strict=True) if words and words != shown]
        repeats += len(lines) - len(new)
        shown = next((words for words in reversed(plain) if words), shown)
        kept.append((cue, "\n".join(new)))
    if not repeats:
        return cues, ()
    message = f"The captions show {repeats} lines again while they roll up; each was read once."
    return kept, (Notice(code="transcript_repeats_removed", message=message),)
