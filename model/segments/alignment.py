"""Alignment of the words of a transcript to segments."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter

from model.recording.audio import SAMPLE_RATE
from model.recording.transcript import Transcript
from model.recording.utterance import Utterance
from model.recording.words import count_words, join_words, split_pieces
from model.segments.timeline import SampleRange, SpeechTimeline, make_timeline

WORDS_PER_SECOND = 2.5
# A sentence with estimated times up to this long is not divided: the estimate is less precise than that.
LONGEST_WHOLE = 10 * SAMPLE_RATE
# After a full stop of Chinese, Japanese, Burmese or Khmer a sentence ends without a space.
_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?\u2026\u0964\u0965\u06d4\u061f])|(?<=[.!?\u2026][\"'\u201d\u2019)\]]))\s+"
    r"|(?<=[\u3002\uff01\uff1f\uff61\u104b\u17d4\u17d5])(?![\u3002\uff01\uff1f\uff61\u201d\u2019\u300d\u300f\uff09])\s*"
    r"|(?<=[\u3002\uff01\uff1f][\u201d\u2019\u300d\u300f\uff09])\s*"
)


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
    # By identity, because two utterances may be equal.
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
            end = start + to_samples(count_words(text) / WORDS_PER_SECOND)
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
    spoken: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for phrase in phrases:
        middle = (phrase.start + phrase.end) / 2
        # A phrase that ends at a cut does not reach into the next segment.
        first, last = bisect_right(cuts, phrase.start), bisect_right(cuts, phrase.end - 1)
        if first >= last or not phrase.divisible:
            spoken[bisect_right(cuts, middle)].append(phrase.text)
            continue
        placed = ((bisect_right(cuts, at), piece) for piece, at in _placed_pieces(phrase))
        for segment, pieces in groupby(placed, key=itemgetter(0)):
            spoken[segment].append("".join(piece for _, piece in pieces).strip())
    return [join_words(texts) for texts in spoken]


def _placed_pieces(phrase: Phrase) -> list[tuple[str, float]]:
    """The words of a phrase with the white space after them, and the middle of each in samples of speech."""
    pieces = split_pieces(phrase.text)
    ends = list(accumulate(len(piece) for piece in pieces))
    # The last word counts with a space after it, as the others do.
    share = (phrase.end - phrase.start) / (ends[-1] + 1)
    return [(piece, phrase.start + share * (end - len(piece) / 2)) for piece, end in zip(pieces, ends, strict=True)]
