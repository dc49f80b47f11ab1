import numpy as np
import pytest

from model.recording.utterance import Utterance
from training.robustness.word_errors import with_word_errors

WORDS = [f"w{number}" for number in range(4000)]


def said(words):
    return Utterance(start=1.0, end=2.0, text=" ".join(words), speaker="Ann")


@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_the_given_share_of_the_words_is_wrong(rate):
    (heard,) = with_word_errors([said(WORDS)], rate, np.random.default_rng(0))
    kept = set(heard.text.split()) & set(WORDS)
    missing = len(WORDS) - len(kept)
    # Substituted and deleted words are missing, unless the same word was drawn elsewhere.
    assert missing / len(WORDS) == pytest.approx(0.85 * rate, rel=0.25)
    assert len(heard.text.split()) == pytest.approx(len(WORDS) * (1 - 0.25 * rate + 0.15 * rate), rel=0.02)
    assert (heard.start, heard.end, heard.speaker) == (1.0, 2.0, "Ann")


def test_an_utterance_never_becomes_empty():
    for seed in range(40):
        (heard,) = with_word_errors([said(["no"])], 0.9, np.random.default_rng(seed))
        assert heard.text
