"""Plain text: with labels and clock times as transcription tools export it, with labels alone, or prose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from model.errors import TranscriptTooLong
from model.recording.formats.clock import CLOCK, parse_clock
from model.recording.formats.parsed import ParsedTranscript, count_notice
from model.recording.formats.prose import require_prose
from model.recording.speaker_labels import is_label, label_of, name_by_first_lines, name_speakers
from model.recording.utterance import Utterance

# Every quantifier is bounded, so that a line is matched in a time in proportion to its length.
_TIME = rf"[\[(<]?\s?({CLOCK})\s?(?:(?:-->|->|-|\u2013|\u2014|to|,)\s?({CLOCK})\s?)?(?:[\])>]|(?![\w:.]))"
_TIME_FIRST = re.compile(rf"\s{{0,9}}{_TIME}[\s\-\u2013\u2014|]{{0,4}}")
# Words follow a label and its time after a bracket, a colon or a line end: `I woke at 10:30 and` is no label.
_TIME_AFTER_LABEL = re.compile(
    rf"\s{{0,9}}[\[(]?([^\W\d_][^\n:\uff1a\[\]<>]{{0,60}}?)[\])]?[\s,\-\u2013\u2014|]{{0,9}}[:\uff1a]?\s{{0,3}}{_TIME}"
    r"(?:(?<=[\])>])|(?=\s{0,9}(?:[:\uff1a]|$)))\s{0,3}[:\uff1a]?"
)
# The line that a tool adds after the transcript.
_CREDIT = re.compile(r"(?:transcribed|transcript|transcription) by \S{1,60}", re.IGNORECASE)
# Words a second, with labels and times between them: more than anybody speaks.
FASTEST_RATE = 10.0
OPENING_LINES = 12
LEAST_HEADS = 2
LEAST_ASCENDING = 0.9
LEAST_USES = 2


@dataclass(slots=True, kw_only=True)
class _Head:
    """The beginning of an utterance: its times and its label, either of which may be missing, and its words."""

    line: int
    start: float | None
    end: float | None
    label: str | None
    words: list[str] = field(default_factory=list)
    name_alone: bool = False


def parse_plain_text(text: str, longest: float) -> ParsedTranscript:
    """Utterances with the times and labels that lines begin with; else an utterance for each line or paragraph.

    Raises TranscriptUnreadable if the text has neither labels nor times and does not look like prose, and
    TranscriptTooLong at once if it has more words than anybody says in `longest` seconds.
    """
    words = len(text.split())
    if words > FASTEST_RATE * longest:
        raise TranscriptTooLong(f"The transcript has {words} words; at most {longest:.0f} s of speech are accepted.")
    lines = text.split("\n")
    credits_at = [number for number, line in enumerate(lines) if line and _CREDIT.fullmatch(line.strip())]
    for number in credits_at:
        lines[number] = ""
    parsed = _timed_text(lines) or _labelled_text(lines) or _prose(text, lines)
    message = "Lines that name the transcription tool were left out"
    notices = count_notice("transcript_credit_skipped", message, [f"line {number + 1}" for number in credits_at])
    return replace(parsed, notices=(*notices, *parsed.notices))


def _prose(text: str, lines: Sequence[str]) -> ParsedTranscript:
    require_prose(text)
    utterances = [_untimed(block) for block in _paragraphs(lines)]
    return ParsedTranscript(format="plain_text", time_unit=None, utterances=utterances)


def _timed_text(lines: Sequence[str]) -> ParsedTranscript | None:
    written = ((number, line) for number, line in enumerate(lines) if line)
    heads = [head for number, line in written if (head := _head(number, line)) is not None]
    if not _are_heads(heads, lines):
        return None
    _settle_names(heads, lines)
    known = {head.label.casefold() for head in heads if head.label}
    utterances: list[Utterance] = []
    ends = [head.line for head in heads[1:]]
    for head, stop in zip(heads, [*ends, len(lines)], strict=True):
        utterances += _spoken(head, lines[head.line + 1 : stop], known)
    before = [f"line {number + 1}" for number, line in enumerate(lines[: heads[0].line]) if line.strip()]
    notices = count_notice("transcript_heading_skipped", "Lines before the first time were left out", before)
    return ParsedTranscript(format="labelled_text", time_unit="clock", utterances=utterances, notices=notices)


def _head(number: int, line: str) -> _Head | None:
    first = _TIME_FIRST.match(line)
    if first is not None:
        start, end = parse_clock(first[1]), parse_clock(first[2]) if first[2] else None
        if start is None:
            return None
        rest = line[first.end() :].strip()
        label = label_of(rest)
        if label is not None:
            return _Head(line=number, start=start, end=end, label=label[0], words=[label[1]])
        return _Head(line=number, start=start, end=end, label=None, words=[rest], name_alone=_is_name(rest))
    after = _TIME_AFTER_LABEL.match(line)
    if after is None or not is_label(after[1].strip()):
        return None
    start, end = parse_clock(after[2]), parse_clock(after[3]) if after[3] else None
    if start is None:
        return None
    label_text = after[1].strip(" ,-|\u2013\u2014([")
    return _Head(line=number, start=start, end=end, label=label_text, words=[line[after.end() :].strip()])


def _are_heads(heads: list[_Head], lines: Sequence[str]) -> bool:
    """Whether lines that look like the beginning of timed utterances are: they open the text, ascend, and recur."""
    opening = [number for number, line in enumerate(lines) if line.strip()][:OPENING_LINES]
    if not heads or heads[0].line not in opening:
        return False
    written = sum(1 for line in lines if line.strip())
    if len(heads) < LEAST_HEADS and (heads[0].line != opening[0] or written > OPENING_LINES or not heads[0].label):
        return False
    starts = [head.start or 0.0 for head in heads]
    ascending = sum(1 for before, after in pairwise(starts) if before <= after)
    if ascending < LEAST_ASCENDING * (len(starts) - 1):
        return False
    labels = Counter(head.label for head in heads if head.label is not None)
    return len(labels) <= LEAST_USES or len(labels) * LEAST_USES <= labels.total()


def _settle_names(heads: list[_Head], lines: Sequence[str]) -> None:
    """Names that stand alone after a time are labels if they recur and words follow on the next line."""
    names = Counter(head.words[0].strip().casefold() for head in heads if head.name_alone)
    if len(names) == names.total():
        return
    stops = [head.line for head in heads[1:]]
    for head, stop in zip(heads, [*stops, len(lines)], strict=True):
        if head.name_alone and any(line.strip() for line in lines[head.line + 1 : stop]):
            head.label, head.words = head.words[0].strip(), []


def _spoken(head: _Head, following: Sequence[str], known: set[str]) -> list[Utterance]:
    """The utterance of a head; a line that begins with a known label but no time is an utterance of its own."""
    parts: list[tuple[str | None, list[str]]] = [(head.label, list(head.words))]
    for line in following:
        label = label_of(line.strip())
        if label is not None and label[0].casefold() in known:
            parts.append((label[0], [label[1]]))
        else:
            parts[-1][1].append(line.strip())
    texts = [(who, "\n".join(line for line in words if line)) for who, words in parts]
    whole = Utterance(start=head.start, end=head.end, text=texts[0][1], speaker=texts[0][0])
    return [whole, *(Utterance(start=None, end=None, text=words, speaker=who) for who, words in texts[1:])]


def _labelled_text(lines: Sequence[str]) -> ParsedTranscript | None:
    utterances = [_untimed(line.strip()) for line in lines if line.strip()]
    named = name_speakers(utterances)
    if not any(utterance.speaker for utterance in named):
        blocks = [_untimed(block) for block in _blocks(lines)]
        named = name_by_first_lines(blocks)
        if not any(utterance.speaker for utterance in named):
            return None
    first = next(number for number, utterance in enumerate(named) if utterance.speaker)
    before = [f"line {number}" for number in range(1, first + 1)]
    notices = count_notice("transcript_heading_skipped", "Lines before the first label were left out", before)
    return ParsedTranscript(format="labelled_text", time_unit=None, utterances=named[first:], notices=notices)


def _paragraphs(lines: Sequence[str]) -> list[str]:
    return [" ".join(block.split()) for block in _blocks(lines)]


def _blocks(lines: Sequence[str]) -> list[str]:
    """Runs of lines between empty ones."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


def _untimed(text: str) -> Utterance:
    return Utterance(start=None, end=None, text=text, speaker=None)


def _is_name(text: str) -> bool:
    return text[:1].isalpha() and text[-1:] not in set(".!?,\u2026\u3002\uff1f\uff01") and is_label(text)
