"""Alignment of a recording's text to its speech, for the four combinations of audio and timed transcript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.config import SegmentSettings
from model.recording.transcript import Transcript
from model.recording.utterance import Utterance
from model.segments.alignment import (
    Phrase,
    phrases_at_typical_rate,
    phrases_at_utterance_times,
    phrases_spread_evenly,
    to_samples,
    utterance_ranges,
)
from model.segments.timeline import SampleRange, SpeechTimeline, join, make_timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedText:
    """Speech to cut, its phrases, and the timed utterances that cuts should not divide."""

    speech: SpeechTimeline
    phrases: tuple[Phrase, ...] = ()
    utterances: tuple[SampleRange, ...] = ()
    timed: bool = False


def align_to_speech(
    transcript: Transcript | None, kept: Sequence[Utterance], heard: SpeechTimeline, settings: SegmentSettings
) -> AlignedText:
    """With audio: restrict the detected speech to the `kept` utterances, if the transcript has times and speakers.

    See docs/method.md (F2).
    """
    if transcript is None:
        return AlignedText(speech=heard)
    if not transcript.timed:
        return AlignedText(speech=heard, phrases=tuple(phrases_spread_evenly(transcript, kept, heard)))
    spoken = utterance_ranges(kept)
    if len(kept) < len(transcript.utterances):
        heard = heard.within(join(spoken, to_samples(settings.shortest_pause)))
    return AlignedText(
        speech=heard, phrases=tuple(phrases_at_utterance_times(kept, heard)), utterances=tuple(spoken), timed=True
    )


def align_without_audio(transcript: Transcript, kept: Sequence[Utterance]) -> AlignedText:
    """Without audio: the times of the utterances are the speech, or estimated times if there are none."""
    if transcript.timed:
        spoken = utterance_ranges(kept)
        speech = make_timeline(join(spoken, 1))
        if speech.length or not kept:
            phrases = tuple(phrases_at_utterance_times(kept, speech))
            return AlignedText(speech=speech, phrases=phrases, utterances=tuple(spoken), timed=True)
    imagined, speech = phrases_at_typical_rate(kept)
    sentences = tuple((phrase.start, phrase.end) for phrase in imagined)
    return AlignedText(speech=speech, phrases=tuple(imagined), utterances=sentences)
