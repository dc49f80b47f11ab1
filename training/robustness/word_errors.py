"""Errors of a speech recogniser: words substituted, deleted and inserted at a given rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model.recording.utterance import Utterance
from model.recording.words import join_words, split_words

SUBSTITUTED, DELETED = 0.6, 0.25
"""Shares of the errors; the rest are insertions. Our choice: recognisers substitute more than they delete or insert."""


def with_word_errors(
    utterances: Sequence[Utterance], rate: float, chance: np.random.Generator
) -> tuple[Utterance, ...]:
    """Utterances of which a share `rate` of the words is wrong; wrong words are drawn from the same transcript."""
    vocabulary = [word for utterance in utterances for word in split_words(utterance.text)]
    return tuple(
        replace(utterance, text=join_words(_heard(split_words(utterance.text), vocabulary, rate, chance)) or "...")
        for utterance in utterances
    )


def _heard(words: Sequence[str], vocabulary: Sequence[str], rate: float, chance: np.random.Generator) -> list[str]:
    heard: list[str] = []
    for word in words:
        error = chance.random() / rate
        if error >= 1:
            heard.append(word)
        elif error < SUBSTITUTED:
            heard.append(_other(word, vocabulary, chance))
        elif error >= SUBSTITUTED + DELETED:
            heard += [word, _other(word, vocabulary, chance)]
    return heard


def _other(word: str, vocabulary: Sequence[str], chance: np.random.Generator) -> str:
    """A word of the vocabulary; another one than `word`, if it has one within a few draws."""
    for _ in range(8):
        drawn = vocabulary[int(chance.integers(len(vocabulary)))]
        if drawn != word:
            break
    return drawn
