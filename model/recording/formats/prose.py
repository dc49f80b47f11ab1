"""Whether a text without labels and times is prose, and not a table, markup or code that nobody reads here."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from model.errors import TranscriptUnreadable
from model.recording.words import count_words

SAMPLE = 200_000
LEAST_LETTERS = 0.6
MOST_MARKUP = 0.05
MOST_CLOCKS = 0.2
LONGEST_MEAN_WORD = 30
LEAST_ROWS = 3
LEAST_REGULAR = 0.8
# Square brackets and slashes stand in transcripts for events and hesitations.
_MARKUP = frozenset("<>{}=\\|@$^~`")
_DELIMITERS = {"\t": 1, ";": 2, "|": 2, ",": 3}
_NUMBERS = re.compile(r"[0-9]{1,9}(?:[.,:][0-9]{1,9}){0,4}")
_CLOCK = re.compile(r"[0-9]{1,3}:[0-9]{2}")
_ADVICE = (
    "Send the words as plain text with a label before each turn, or a format with times: WebVTT, SRT, JSON, TextGrid, "
    "ELAN, CHAT, ASS, TTML or a table with start, end, speaker and text. docs/transcripts.md lists them."
)


def require_prose(text: str) -> None:
    """Raise TranscriptUnreadable with what the text looks like instead. Scripts of all languages are prose."""
    sample = text[:SAMPLE]
    if _is_table(sample):
        raise _refused("a table whose columns are not known")
    visible = [character for character in sample if not character.isspace()]
    letters = sum(1 for character in visible if unicodedata.category(character)[0] in "LM")
    if not letters:
        raise TranscriptUnreadable("The transcript holds no words.")
    if sum(1 for character in visible if character in _MARKUP) > MOST_MARKUP * len(visible):
        raise _refused("markup or code of a kind that is not known")
    lines = [line for line in sample.split("\n") if line.strip()]
    clocks = sum(1 for line in lines if _CLOCK.search(line))
    if len(lines) >= LEAST_ROWS and clocks > max(LEAST_ROWS, MOST_CLOCKS * len(lines)):
        raise _refused("text with clock times in an order that is not known")
    if letters < LEAST_LETTERS * len(visible):
        raise _refused("numbers or symbols rather than words")
    if len(visible) > LONGEST_MEAN_WORD * max(1, count_words(sample)):
        raise _refused("encoded data rather than words")


def _refused(what: str) -> TranscriptUnreadable:
    return TranscriptUnreadable(f"The transcript looks like {what}, not like speech.", advice=_ADVICE)


def _is_table(sample: str) -> bool:
    """Whether nearly all lines have the same number of a delimiter, and tabs, or numbers in their first cells."""
    lines = [line for line in sample.split("\n") if line.strip()]
    if len(lines) < LEAST_ROWS:
        return False
    for delimiter, least in _DELIMITERS.items():
        count, lines_with = Counter(line.count(delimiter) for line in lines).most_common(1)[0]
        if count < least or lines_with < LEAST_REGULAR * len(lines):
            continue
        numeric = sum(1 for line in lines if any(_NUMBERS.fullmatch(cell.strip()) for cell in line.split(delimiter)))
        if delimiter in "\t|" or numeric >= LEAST_REGULAR * (len(lines) - 1):
            return True
    return False
