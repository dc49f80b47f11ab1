"""Where the words of a recording lie in its speech: the four ways in which audio, times and words can be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.config import SegmentSettings
from model.recording.transcript import Transcript
from model.recording.utterance import Utterance
from model.segments.alignment import (
    Phrase,
    imagined_phrases,
    spread_phrases,
    stretches_of,
    ticks,
    timed_phrases,
)
from model.segments.timeline import Speech, Stretch, join, lay_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Speech to be cut, the phrases in it, the utterances on the clock that cuts had better not divide."""

    speech: Speech
    phrases: tuple[Phrase, ...] = ()
    utterances: tuple[Stretch, ...] = ()
    timed: bool = False


def lay_words_on_speech(
    transcript: Transcript | None, kept: Sequence[Utterance], heard: Speech, settings: SegmentSettings
) -> Layout:
    """With audio: `heard` speech is narrowed to the `kept` utterances where times and speakers allow it."""
    if transcript is None:
        return Layout(speech=heard)
    if not transcript.timed:
        return Layout(speech=heard, phrases=tuple(spread_phrases(transcript, kept, heard)))
    spoken = stretches_of(kept)
    if len(kept) < len(transcript.utterances):
        heard = heard.within(join(spoken, ticks(settings.shortest_pause)))
    return Layout(speech=heard, phrases=tuple(timed_phrases(kept, heard)), utterances=tuple(spoken), timed=True)


def lay_words_alone(transcript: Transcript, kept: Sequence[Utterance]) -> Layout:
    """Without audio: the utterances' own times stand for speech, or imagined ones where there are none."""
    if transcript.timed:
        spoken = stretches_of(kept)
        speech = lay_out(join(spoken, 1))
        if speech.length or not kept:
            phrases = tuple(timed_phrases(kept, speech))
            return Layout(speech=speech, phrases=phrases, utterances=tuple(spoken), timed=True)
    imagined, speech = imagined_phrases(kept)
    sentences = tuple((phrase.start, phrase.end) for phrase in imagined)
    return Layout(speech=speech, phrases=tuple(imagined), utterances=sentences)
