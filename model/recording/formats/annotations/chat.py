"""CHAT (.cha) of TalkBank: main lines `*CODE:` with or without the times of the recording."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from model.errors import TranscriptUnreadable
from model.recording.formats.parsed import ParsedTranscript
from model.recording.utterance import Utterance

OPENING_LINES = 8
_MAIN = re.compile(r"\*([A-Za-z0-9_\-]{1,12}):\s*")
_BULLET = re.compile(r"[\x15\u2022]?(?<![0-9])([0-9]{1,9})_([0-9]{1,9})[\x15\u2022]?\s*$")
# Codes that are no words: in square brackets, pauses, linked events, terminators, linkers and unintelligible speech.
_CODES = re.compile(r"\[[^\[\]]*\]|\((?:\.{1,3}|[0-9.:]{1,9})\)")
_NO_WORDS = re.compile(r"&[=*{}]\S*|0[^\W\d_]\S*|[xyw]{2,3}|[+\u2260\u2261\u201e\u2021]\S*")
_SUFFIX = re.compile(r"@[A-Za-z:$]{1,8}$")
_DROPPED = str.maketrans("", "", "<>()\u2308\u2309\u230a\u230b\u02d0\u2191\u2193\x15\u2022")


def looks_like_chat(text: str) -> bool:
    """Whether one of the first lines is `@Begin` or `@UTF8`."""
    opening = text[:2000].split("\n")[:OPENING_LINES]
    return any(line.strip() in {"@Begin", "@UTF8"} for line in opening)


def parse_chat(text: str) -> ParsedTranscript:
    """Utterances of the main lines, with the role of the participant as speaker and the times of the bullets.

    Dependent tiers and headers are left out, codes within a line are removed. Raises TranscriptUnreadable with the
    number of a malformed line.
    """
    speakers: dict[str, str] = {}
    utterances: list[Utterance] = []
    for number, line in _logical_lines(text):
        if line.startswith("@Participants"):
            speakers = _participants(line.partition(":")[2])
        elif line.startswith("*"):
            utterances.append(_utterance(number, line, speakers))
        elif not line.startswith(("@", "%")):
            raise TranscriptUnreadable(f"Line {number} of the CHAT transcript begins with none of @, * and %.")
    timed = any(utterance.start is not None for utterance in utterances)
    return ParsedTranscript(format="chat", time_unit="milliseconds" if timed else None, utterances=utterances)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations, which begin with white space."""
    number = 0
    parts: list[str] = []
    for at, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if parts and line[0] in "\t ":
            parts.append(line.strip())
            continue
        if parts:
            yield number, " ".join(parts)
        number, parts = at, [line.strip()]
    if parts:
        yield number, " ".join(parts)


def _participants(listed: str) -> dict[str, str]:
    """The speaker of each code: the role, with the code where several participants have the same role."""
    entries = [entry.split() for entry in listed.split(",")]
    roles = {entry[0]: entry[-1].replace("_", " ") for entry in entries if entry}
    uses = Counter(roles.values())
    return {code: role if uses[role] == 1 else f"{role} {code}" for code, role in roles.items()}


def _utterance(number: int, line: str, speakers: dict[str, str]) -> Utterance:
    main = _MAIN.match(line)
    if main is None:
        raise TranscriptUnreadable(f"Line {number} of the CHAT transcript has a malformed speaker code.")
    start = end = None
    words = line[main.end() :]
    bullet = _BULLET.search(words[-40:])
    if bullet is not None:
        start, end = int(bullet[1]) / 1000, int(bullet[2]) / 1000
        words = words[: len(words) - len(words[-40:]) + bullet.start()]
        if start > end:
            raise TranscriptUnreadable(f"Line {number} of the CHAT transcript ends before it starts.")
    return Utterance(start=start, end=end, text=_spoken(words), speaker=speakers.get(main[1], main[1]))


def _spoken(line: str) -> str:
    words = [_word(word) for word in _CODES.sub(" ", line).split()]
    spoken = " ".join(word for word in words if word)
    return re.sub(r" ([.,!?;:])", r"\1", spoken)


def _word(word: str) -> str:
    if _NO_WORDS.fullmatch(word):
        return ""
    plain = word.translate(_DROPPED).removeprefix("&-").removeprefix("&+").removeprefix("&~")
    return _SUFFIX.sub("", plain).replace("_", " ")
