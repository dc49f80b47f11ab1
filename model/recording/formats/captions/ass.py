"""Advanced SubStation Alpha (ASS) and SubStation Alpha (SSA)."""

from __future__ import annotations

import re

from model.errors import TranscriptUnreadable
from model.recording.formats.clock import parse_clock
from model.recording.formats.parsed import ParsedTranscript
from model.recording.utterance import Utterance

_HEADER = re.compile(r"\s*\[script info\]", re.IGNORECASE)
_DEFAULT_COLUMNS = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_OVERRIDE = re.compile(r"\{[^{}]*\}")
_DRAWING = re.compile(r"\\p[1-9]")
_BREAK = re.compile(r"\\[Nnh]")


def looks_like_ass(text: str) -> bool:
    """Whether the text begins with the section `[Script Info]`."""
    return _HEADER.match(text) is not None


def parse_ass(text: str) -> ParsedTranscript:
    """Timed utterances of the Dialogue lines, the Name column as speaker; comments and drawings are left out.

    Raises TranscriptUnreadable with the number of a malformed Dialogue line.
    """
    columns: tuple[str, ...] = _DEFAULT_COLUMNS
    section = ""
    utterances: list[Utterance] = []
    for number, line in enumerate(text.split("\n"), start=1):
        kind, _, rest = line.strip().partition(":")
        if kind.startswith("["):
            section = line.strip().casefold()
        elif section == "[events]" and kind.casefold() == "format":
            columns = tuple(name.strip().casefold() for name in rest.split(","))
        elif section == "[events]" and kind.casefold() == "dialogue":
            utterances += _dialogue(rest, columns, number)
    return ParsedTranscript(format="ass", time_unit="clock", utterances=utterances)


def _dialogue(rest: str, columns: tuple[str, ...], number: int) -> list[Utterance]:
    values = [value.strip() for value in rest.split(",", len(columns) - 1)]
    fields = dict(zip(columns, values, strict=False))
    start, end = parse_clock(fields.get("start", "")), parse_clock(fields.get("end", ""))
    if start is None or end is None or start > end or "text" not in fields:
        raise TranscriptUnreadable(f"Line {number} is a malformed Dialogue line of an ASS file.")
    words = _BREAK.sub("\n", _OVERRIDE.sub("", fields["text"]))
    if any(_DRAWING.search(override) for override in _OVERRIDE.findall(fields["text"])):
        return []
    speaker = fields.get("name", "") or fields.get("actor", "")
    return [
        Utterance(start=start, end=end, text=words.replace("\n", " ") if speaker else words, speaker=speaker or None)
    ]
