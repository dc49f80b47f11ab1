"""WebVTT and SubRip (SRT): cues of a timing line and the words spoken in that time."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from model.errors import TranscriptUnreadable
from model.recording.speaker_labels import name_speakers
from model.recording.utterance import Utterance

_CLOCK = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
TIMING = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s|$)")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]*)>", re.IGNORECASE)
_TAG = re.compile(r"</?(?:[a-z][^<>]*|\d[\d:.]*)>|</?[civbu]?>|\{\\[^{}]*\}", re.IGNORECASE)
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")

LAST_OF_CLOCK = 59

Block = list[tuple[int, str]]


def parse_captions(text: str, *, header: bool) -> list[Utterance]:
    """Timed utterances; `header` is true for a text that begins with the header block of WebVTT.

    Speakers come from `<v Speaker>` voices, else from consistent `Speaker: ` prefixes. Raises TranscriptUnreadable
    with the number of the malformed line.
    """
    utterances: list[Utterance] = []
    for position, block in enumerate(_blocks(text)):
        opens = header and position == 0
        if (opens and not _timed(block)) or (header and _COMMENT.match(block[0][1])):
            continue
        utterances += _cue(block[1:] if opens else block)
    if any(utterance.speaker for utterance in utterances):
        return utterances
    return name_speakers(utterances)


def _blocks(text: str) -> Iterator[Block]:
    block: Block = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            block.append((number, line.strip()))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _timed(block: Block) -> bool:
    return any("-->" in line for _, line in block)


def _cue(block: Block) -> list[Utterance]:
    at = next((index for index, (_, line) in enumerate(block) if "-->" in line), None)
    if at is None or at > 1:
        raise TranscriptUnreadable(f"Line {block[0][0]} belongs to no cue: a line with its times is missing.")
    number, line = block[at]
    match = TIMING.match(line)
    if match is None:
        raise TranscriptUnreadable(f"Line {number} has malformed times; 00:00:01.000 --> 00:00:04.000 is right.")
    start, end = _seconds(match.groups()[:4], number), _seconds(match.groups()[4:], number)
    return _voices(" ".join(words for _, words in block[at + 1 :]), start, end)


def _seconds(clock: tuple[str | None, ...], number: int) -> float:
    hours, minutes, seconds = (int(part or 0) for part in clock[:3])
    if max(minutes, seconds) > LAST_OF_CLOCK:
        raise TranscriptUnreadable(f"Line {number} has malformed times: minutes and seconds end at 59.")
    return hours * 3600 + minutes * 60 + seconds + float(f"0.{clock[3]}")


def _voices(payload: str, start: float, end: float) -> list[Utterance]:
    """The utterances of one cue; several voices share its time in proportion to their letters."""
    opening, *voices = _VOICE.split(payload)
    parts = [(None, _words(opening)), *((who.strip(), _words(what)) for who, what in _pairs(voices))]
    spoken = [(who, what) for who, what in parts if what]
    letters = sum(len(what) for _, what in spoken)
    utterances, before = [], 0
    for who, what in spoken:
        after = before + len(what)
        utterances.append(
            Utterance(
                start=start + (end - start) * before / letters,
                end=start + (end - start) * after / letters if after < letters else end,
                text=what,
                speaker=who or None,
            )
        )
        before = after
    return utterances


def _pairs(flat: list[str]) -> Iterator[tuple[str, str]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _words(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", markup)).split())
