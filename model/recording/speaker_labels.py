"""Speaker labels before the words, as in `Interviewer: How have you been?`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from model.recording.utterance import Utterance

# A label is short and starts with a letter, so that a clause before a colon and a clock time are no labels.
_LABEL = re.compile(r"([^\W\d_][^:.!?,;\n]{0,39}):(?:\s+|$)")
MOST_LABEL_WORDS = 4
ONE_TO_ONE = 2
LEAST_USES = 2


def name_speakers(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Move labels from the text into `speaker` if they are used consistently; otherwise change nothing.

    Labels are consistent if the first utterance has one, and either all utterances have one or the labels recur: an
    occasional colon is not a label. An utterance without a label belongs to the speaker before it.
    """
    labels = [_label(utterance.text) for utterance in utterances]
    if not _consistent(labels):
        return list(utterances)
    named, speaker = [], None
    for utterance, label in zip(utterances, labels, strict=True):
        words = utterance.text
        if label is not None:
            speaker, words = label, utterance.text.split(":", 1)[1].strip()
        named.append(replace(utterance, speaker=speaker, text=words))
    return named


def _label(text: str) -> str | None:
    match = _LABEL.match(text)
    if match is None or len(match[1].split()) > MOST_LABEL_WORDS:
        return None
    return match[1].strip()


def _consistent(labels: Sequence[str | None]) -> bool:
    if not labels or labels[0] is None:
        return False
    uses = Counter(label.casefold() for label in labels if label is not None)
    everywhere = None not in labels
    if len(uses) <= ONE_TO_ONE:
        return everywhere or uses.total() >= LEAST_USES
    return uses.total() >= LEAST_USES * len(uses)
