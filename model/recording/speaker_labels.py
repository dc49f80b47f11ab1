"""Speaker labels before the words, as in `Interviewer: How have you been?` or `Dr. A. Doe (she/her): And then?`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from model.recording.utterance import Utterance, divide_utterance

LONGEST_LABEL = 60
MOST_LABEL_WORDS = 6
LONGEST_ABBREVIATION = 5
LEAST_USES = 2
ONE_TO_ONE = 2
LEAST_LABELLED = 0.5
LEAST_NAMED_CUES = 4
# After a full-width colon, and in Chinese, Japanese or Thai after any colon, no space is needed.
_LABEL = re.compile(
    rf"[\[*>\-\u2013\u2022 ]{{0,4}}([^\W\d_][^:\uff1a!?;{{}}=<>|\\\n]{{0,{LONGEST_LABEL}}})"
    r"(?::(?=\s|\*|$|[\u0e00-\uffff])|\uff1a)"
)
_CLOSING = "]* "


def name_speakers(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Move labels from the text into `speaker` if they are used consistently; otherwise change nothing.

    Labels are consistent if they open the transcript and recur, or recur in at least half of the utterances: an
    occasional colon is not a label. An utterance without a label belongs to the speaker before it; an utterance of
    several lines is divided where a line begins with a label.
    """
    labels = [label_of(utterance.text) for utterance in utterances]
    if not _consistent([label and label[0] for label in labels]):
        return name_by_first_lines(utterances)
    known = {label[0].casefold() for label in labels if label is not None}
    named: list[Utterance] = []
    speaker: str | None = None
    for utterance in utterances:
        parts = _spoken_parts(utterance.text, speaker, known)
        speaker = parts[-1][0]
        named += divide_utterance(utterance, [part for part in parts if part[1]] or parts[-1:])
    return named


def name_by_first_lines(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Move names that stand alone on the first line of every cue, as Microsoft Teams writes them, into `speaker`.

    They are names if they recur; otherwise change nothing.
    """
    pairs = [utterance.text.strip().partition("\n") for utterance in utterances]
    names = {name.strip() for name, _, _ in pairs}
    recurring = len(pairs) >= LEAST_NAMED_CUES and len(names) * LEAST_USES <= len(pairs)
    if not recurring or not all(rest.strip() and _is_name(name.strip()) for name, _, rest in pairs):
        return list(utterances)
    return [
        replace(utterance, speaker=name.strip(), text=rest.strip())
        for utterance, (name, _, rest) in zip(utterances, pairs, strict=True)
    ]


def label_of(text: str) -> tuple[str, str] | None:
    """The label that a text begins with and the words after it; None if it begins with no label."""
    match = _LABEL.match(text)
    if match is None:
        return None
    label = match[1].strip(_CLOSING)
    return (label, text[match.end() :].lstrip(_CLOSING)) if is_label(label) else None


def is_label(text: str) -> bool:
    """Whether a text may be a name: few words, no end of a sentence in it, a comma only between capitalised words."""
    words = text.split()
    if not words or len(words) > MOST_LABEL_WORDS or len(text) > LONGEST_LABEL:
        return False
    if any(word.endswith(".") and len(word) > LONGEST_ABBREVIATION for word in words):
        return False
    return "," not in text or all(word[0].isupper() or not word[0].isalpha() for word in words)


def _spoken_parts(text: str, speaker: str | None, known: set[str]) -> list[tuple[str | None, str]]:
    """Speaker and words of each run of lines that begins with a known label."""
    if "\n" not in text:
        label = label_of(text)
        return [(speaker, text) if label is None or label[0].casefold() not in known else label]
    parts: list[tuple[str | None, list[str]]] = [(speaker, [])]
    for line in text.split("\n"):
        label = label_of(line)
        if label is not None and label[0].casefold() in known:
            parts.append((label[0], [label[1]]))
        else:
            parts[-1][1].append(line)
    return [(who, "\n".join(lines).strip()) for who, lines in parts]


def _consistent(labels: Sequence[str | None]) -> bool:
    uses = Counter(label.casefold() for label in labels if label is not None)
    if not uses:
        return False
    recurring = uses.total() >= LEAST_USES * len(uses)
    if labels[0] is None:
        return recurring and uses.total() >= LEAST_LABELLED * len(labels)
    if len(uses) <= ONE_TO_ONE:
        return None not in labels or uses.total() >= LEAST_USES
    return recurring


def _is_name(text: str) -> bool:
    return text[:1].isalpha() and text[-1:] not in {".", "!", "?", ",", "\u2026"} and is_label(text)
