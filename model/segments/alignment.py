"""Alignment of the words of a transcript to segments."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from model.recording.audio import SAMPLE_RATE
from model.recording.transcript import Transcript
from model.recording.utterance import Utterance
from model.segments.timeline import SampleRange, SpeechTimeline, make_timeline

WORDS_PER_SECOND = 2.5
# A sentence with estimated times up to this long is not divided: the estimate is less precise than that.
LONGEST_WHOLE = 10 * SAMPLE_RATE
_SENTENCE_END = re.compile(r"(?:(?<=[.!?\u2026\u3002\uff01\uff1f])|(?<=[.!?\u2026][\"'\u201d\u2019)\]]))\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words and the range of speech that they are spoken in, in samples of speech (see `SpeechTimeline`)."""

    text: str
    start: int
    end: int
    divisible: bool


def utterance_ranges(utterances: Sequence[Utterance]) -> list[SampleRange]:
    """Start and end of timed utterances, in samples."""
    return [(to_samples(utterance.start), to_samples(utterance.end)) for utterance in utterances]


def to_samples(seconds: float | None) -> int:
    """Seconds as samples at 16 kHz."""
    return round((seconds or 0.0) * SAMPLE_RATE)


def phrases_at_utterance_times(utterances: Sequence[Utterance], speech: SpeechTimeline) -> list[Phrase]:
    """Each utterance, at the speech between its start and its end. See docs/method.md (F4)."""
    return [
        Phrase(text=utterance.text, start=speech.before(start), end=speech.before(stop), divisible=True)
        for utterance, (start, stop) in zip(utterances, utterance_ranges(utterances), strict=True)
    ]


def phrases_spread_evenly(transcript: Transcript, kept: Sequence[Utterance], speech: SpeechTimeline) -> list[Phrase]:
    """Sentences of all speakers, spread over all speech by their letters; returns those of the `kept` utterances.

    See docs/method.md (F4).
    """
    counted = {id(utterance) for utterance in kept}
    sentences = [
        (text, id(utterance) in counted)
        for utterance in transcript.utterances
        for text in split_sentences(utterance.text)
    ]
    ends = list(accumulate(len(text) + 1 for text, _ in sentences))
    phrases, start = [], 0
    for (text, used), letters in zip(sentences, ends, strict=True):
        end = speech.length * letters // ends[-1]
        if used:
            phrases.append(Phrase(text=text, start=start, end=end, divisible=end - start > LONGEST_WHOLE))
        start = end
    return phrases


def phrases_at_typical_rate(utterances: Sequence[Utterance]) -> tuple[list[Phrase], SpeechTimeline]:
    """Sentences one after the other at 2.5 words per second, and the length of speech that this gives.

    See docs/method.md (F4).
    """
    phrases, start = [], 0
    for utterance in utterances:
        for text in split_sentences(utterance.text):
            end = start + to_samples(len(text.split()) / WORDS_PER_SECOND)
            phrases.append(Phrase(text=text, start=start, end=end, divisible=True))
            start = end
    return phrases, make_timeline([(0, start)])


def split_sentences(text: str) -> list[str]:
    """Sentences, by their final punctuation; the whole text if it has none."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence]


def assign_text(phrases: Sequence[Phrase], cuts: Sequence[int]) -> list[str]:
    """The text of each segment; `cuts` are the ends of all segments but the last, in samples of speech.

    A phrase across a cut is divided between words; the share of the letters before a word gives its time.

    See docs/method.md (F4).
    """
    words: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for phrase in phrases:
        middle = (phrase.start + phrase.end) / 2
        first, last = bisect_right(cuts, phrase.start), bisect_right(cuts, phrase.end - 1)
        if first >= last or not phrase.divisible:
            words[bisect_right(cuts, middle)].append(phrase.text)
            continue
        for word, at in _placed_words(phrase):
            words[bisect_right(cuts, at)].append(word)
    return [" ".join(spoken) for spoken in words]


def _placed_words(phrase: Phrase) -> list[tuple[str, float]]:
    words = phrase.text.split()
    ends = list(accumulate(len(word) + 1 for word in words))
    share = (phrase.end - phrase.start) / ends[-1]
    return [(word, phrase.start + share * (end - (len(word) + 1) / 2)) for word, end in zip(words, ends, strict=True)]
