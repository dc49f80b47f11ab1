"""Utterances of recognisers that give words alone."""

from __future__ import annotations

from collections.abc import Sequence

from model.recording.utterance import Utterance
from model.recording.words import join_words

# A pause after which the words of one speaker are another utterance, in seconds.
LONGEST_PAUSE = 1.0


def join_utterances(words: Sequence[Utterance]) -> list[Utterance]:
    """Words in order, joined until the speaker changes or pauses for a second. Times in seconds."""
    groups: list[list[Utterance]] = []
    for word in words:
        if groups and _continues(groups[-1][-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    return [join_group(group) for group in groups]


def join_group(words: Sequence[Utterance]) -> Utterance:
    """One utterance of all the words, with the speaker of the first."""
    starts = [word.start for word in words if word.start is not None]
    ends = [word.end for word in words if word.end is not None]
    return Utterance(
        start=starts[0] if starts else None,
        end=ends[-1] if ends else None,
        text=join_words([word.text for word in words]),
        speaker=words[0].speaker,
    )


def _continues(before: Utterance, word: Utterance) -> bool:
    if before.speaker != word.speaker:
        return False
    return before.end is None or word.start is None or word.start - before.end < LONGEST_PAUSE
