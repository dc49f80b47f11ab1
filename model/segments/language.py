"""The language of a text, by py3langid: naive Bayes over byte n-grams, in 140 languages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from model.recording.words import count_words

FEWEST_WORDS = 20
LONGEST = 5_000
LEAST_PROBABILITY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLanguage:
    """ISO 639 code of a language, and the probability that the identifier gives it."""

    code: str
    probability: float


def find_language(text: str) -> FoundLanguage | None:
    """The language of a text; None if it has fewer than 20 words or the identifier is not sure."""
    if count_words(text) < FEWEST_WORDS:
        return None
    code, probability = _identifier().classify(text[:LONGEST])
    if not probability >= LEAST_PROBABILITY:
        return None
    return FoundLanguage(code=code, probability=float(probability))


@cache
def _identifier() -> LanguageIdentifier:
    # Without `norm_probs` the identifier gives a score and no probability.
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
