"""Alignment of a recording's text to its speech, for the four combinations of audio and timed transcript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from model.segments.speakers import SpeakerChoice
from model.segments.timeline import SampleRange, SpeechTimeline, join, make_timeline
from model.segments.whole_seconds import in_whole_seconds, move_to_pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedText:
    """Speech to cut, its phrases, and the timed utterances that cuts should not divide.

    `uncued` counts the samples of speech that are further than a pause from every utterance, `shared` those of speech
    in utterances of both a scored and another speaker; both are 0 without times.
    """

    speech: SpeechTimeline
    phrases: tuple[Phrase, ...] = ()
    utterances: tuple[SampleRange, ...] = ()
    timed: bool = False
    uncued: int = 0
    shared: int = 0


def align_to_speech(
    transcript: Transcript | None, choice: SpeakerChoice, heard: SpeechTimeline, settings: SegmentSettings
) -> AlignedText:
    """With audio: restrict the detected speech to the scored speakers, if the transcript has times and labels.

    Speech in the utterances of others is left out also where the scored speakers have an utterance at that time: the
    times of captions are often padded, and both voices are heard where they are not. Times in whole seconds are moved
    to the pauses that they stand for. See docs/method.md (F2).
    """
    if transcript is None:
        return AlignedText(speech=heard)
    kept = choice.kept
    if not transcript.timed:
        return AlignedText(speech=heard, phrases=tuple(phrases_spread_evenly(transcript, kept, heard)))
    if in_whole_seconds(transcript.utterances):
        transcript, choice = _at_pauses(transcript, choice, heard)
        kept = choice.kept
    gap = to_samples(settings.shortest_pause)
    scored = utterance_ranges(kept)
    # Detected speech is padded, and tools differ in where a word begins: speech close to an utterance is part of it.
    around = [(start - gap, stop + gap) for start, stop in utterance_ranges(transcript.utterances)]
    cued = heard.within(join(around, 1))
    speech, shared = heard, 0
    if choice.labelled:
        speech = heard.within(join(scored, gap))
        alone = speech.without(join(utterance_ranges(choice.left_out(transcript)), 1))
        speech, shared = alone, speech.length - alone.length
    return AlignedText(
        speech=speech,
        phrases=tuple(phrases_at_utterance_times(kept, speech)),
        utterances=tuple(scored),
        timed=True,
        uncued=heard.length - cued.length,
        shared=shared,
    )


def _at_pauses(
    transcript: Transcript, choice: SpeakerChoice, heard: SpeechTimeline
) -> tuple[Transcript, SpeakerChoice]:
    moved = move_to_pauses(transcript.utterances, heard)
    # By identity, because two utterances may be equal.
    by_identity = {id(said): other for said, other in zip(transcript.utterances, moved, strict=True)}
    kept = tuple(by_identity[id(said)] for said in choice.kept)
    return replace(transcript, utterances=moved), replace(choice, kept=kept)


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
