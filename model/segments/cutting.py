"""Cuts a recording into segments of 10-30 s of speech, at pauses and between utterances."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from model.config import QualitySettings, SegmentSettings
from model.recording.audio import SAMPLE_RATE, Audio
from model.recording.recording import Recording
from model.recording.transcript import Transcript
from model.segments.alignment import distribute, participant, ticks
from model.segments.cuts import choose_cuts, possible_cuts
from model.segments.layout import Layout, lay_words_alone, lay_words_on_speech
from model.segments.quality import Sound, Wording, judge
from model.segments.segment import Segment, Segmentation, Span
from model.segments.timeline import Speech, lay_out
from model.segments.voice_activity import Activity, islands, listen, quietest, speech_over_noise


def segment(recording: Recording, settings: SegmentSettings, quality: QualitySettings) -> Segmentation:
    """Cut a recording into segments and judge its quality; deterministic, O(n log n) in its length.

    With audio, segments are cut from the speech that voice activity finds (the participant's only, where a timed
    transcript labels speakers); without, from the transcript's times, or imagined ones at 2.5 words a second.
    """
    if recording.audio is not None:
        return _segment_audio(recording.audio, recording.transcript, settings, quality)
    if recording.transcript is None:
        raise ValueError("a recording has audio, a transcript or both")
    return _segment_text(recording.transcript, settings, quality)


def segment_audio(audio: Audio, segment: Segment) -> Float32[np.ndarray, " sample"]:
    """The audio of a segment: its spans, one after the other, at 16 kHz in [-1, 1]."""
    parts = [audio.read(ticks(span.start), ticks(span.end)) for span in segment.spans]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _segment_audio(
    audio: Audio, transcript: Transcript | None, settings: SegmentSettings, quality: QualitySettings
) -> Segmentation:
    activity = listen(audio)
    heard = lay_out(islands(activity, settings))
    kept = participant(transcript, settings) if transcript else ()
    long_enough = transcript is not None and transcript.words >= quality.least_words
    layout = lay_words_on_speech(transcript if long_enough else None, kept, heard, settings)
    wording = _wording(transcript, Transcript(utterances=kept), layout)
    has_text = wording.words_used >= quality.least_words

    def quietest_between(low: int, high: int) -> int:
        return layout.speech.before(quietest(activity, layout.speech.between(low, high))) if low < high else low

    cuts = choose_cuts(layout.speech, possible_cuts(layout.speech, layout.utterances), settings, quietest_between)
    texts = distribute(layout.phrases if has_text else (), cuts)
    segments = tuple(_segments(layout.speech, cuts, texts, has_audio=True))
    sound = _sound(audio, activity, heard, layout.speech, settings)
    recording_quality = judge(sound, wording, len(segments), quality)
    return Segmentation(segments=segments, quality=recording_quality, has_audio=True, has_text=has_text)


def _segment_text(transcript: Transcript, settings: SegmentSettings, quality: QualitySettings) -> Segmentation:
    kept = participant(transcript, settings)
    layout = lay_words_alone(transcript, kept)
    wording = _wording(transcript, Transcript(utterances=kept), layout)
    possible = possible_cuts(layout.speech, layout.utterances)
    cuts = choose_cuts(layout.speech, possible, settings, lambda low, high: (low + high) // 2)
    segments = tuple(_segments(layout.speech, cuts, distribute(layout.phrases, cuts), has_audio=False))
    return Segmentation(
        segments=segments,
        quality=judge(None, wording, len(segments), quality),
        has_audio=False,
        has_text=wording.words_used >= quality.least_words,
    )


def _wording(sent: Transcript | None, kept: Transcript, layout: Layout) -> Wording:
    everything = sent.utterances if sent else ()
    return Wording(
        sent=sent is not None,
        words=sent.words if sent else 0,
        words_used=kept.words,
        end=max((said.end or 0.0 for said in everything), default=0.0) if layout.timed else None,
        speakers_left_out=len(kept.utterances) < len(everything),
    )


def _sound(audio: Audio, activity: Activity, heard: Speech, used: Speech, settings: SegmentSettings) -> Sound:
    return Sound(
        duration=audio.seconds,
        heard=heard.length / SAMPLE_RATE,
        used=used.length / SAMPLE_RATE,
        snr_db=speech_over_noise(activity, heard.stretches(), settings),
        clipping=audio.clipping,
        not_finite=audio.not_finite_share,
    )


def _segments(speech: Speech, cuts: list[int], texts: list[str], *, has_audio: bool) -> list[Segment]:
    if not speech.length:
        return []
    segments = []
    for index, (begin, end, text) in enumerate(zip([0, *cuts], [*cuts, speech.length], texts, strict=True)):
        spans = tuple(
            Span(start=start / SAMPLE_RATE, end=stop / SAMPLE_RATE) for start, stop in speech.between(begin, end)
        )
        segments.append(
            Segment(
                index=index,
                spans=spans if has_audio else (),
                start=spans[0].start,
                end=spans[-1].end,
                text=text,
            )
        )
    return segments
