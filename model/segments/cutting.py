"""Segmentation of a recording: segments of 10-30 s of speech, cut at pauses and between utterances."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from model.config import QualitySettings, SegmentSettings
from model.recording.audio import SAMPLE_RATE, Audio
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.recording import Recording
from model.recording.transcript import Transcript
from model.segments.alignment import assign_text, to_samples
from model.segments.cuts import choose_cuts, possible_cuts
from model.segments.language import find_language
from model.segments.layout import AlignedText, align_to_speech, align_without_audio
from model.segments.level import UNCHANGED, Levelling
from model.segments.quality import AudioStatistics, TranscriptStatistics, assess_quality
from model.segments.segment import Segment, Segmentation, Span
from model.segments.sound import measure_sound
from model.segments.speakers import NO_SPEAKERS, SpeakerChoice, choose_speakers
from model.segments.timeline import SpeechTimeline, make_timeline
from model.segments.voice_activity import (
    VoiceActivity,
    detect_voice,
    level_speech,
    quietest_sample,
    speech_ranges,
)


def segment(
    recording: Recording,
    settings: SegmentSettings,
    quality: QualitySettings,
    options: RecordingOptions = NO_OPTIONS,
) -> Segmentation:
    """Cut a recording into segments and assess its quality; deterministic, O(n log n) in its length.

    With audio, segments are cut from the detected speech: of the participant only, if a timed transcript labels
    speakers. Without audio they are cut from the times of the transcript, or from estimated times at 2.5 words per
    second.
    """
    transcript = recording.transcript
    choice = NO_SPEAKERS if transcript is None else choose_speakers(transcript, options, settings)
    if recording.audio is not None:
        return _segment_audio(recording.audio, transcript, choice, settings, quality)
    if transcript is None:
        raise ValueError("a recording has audio, a transcript or both")
    return _segment_text(transcript, choice, settings, quality)


def segment_audio(audio: Audio, segment: Segment, levelling: Levelling = UNCHANGED) -> Float32[np.ndarray, " sample"]:
    """The audio of a segment: the levelled samples of its spans, concatenated, at 16 kHz in [-1, 1]."""
    parts = [audio.read(to_samples(span.start), to_samples(span.end)) for span in segment.spans]
    return levelling.apply(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.float32)


def _segment_audio(
    audio: Audio,
    transcript: Transcript | None,
    choice: SpeakerChoice,
    settings: SegmentSettings,
    quality: QualitySettings,
) -> Segmentation:
    activity = detect_voice(audio, settings)
    heard = make_timeline(speech_ranges(activity, settings))
    long_enough = transcript is not None and (transcript.words >= quality.least_words or choice.unknown)
    layout = align_to_speech(transcript if long_enough else None, choice, heard, settings)
    transcript_statistics = _transcript_statistics(transcript, choice, layout)
    has_text = transcript_statistics.words_used >= quality.least_words

    def quietest_between(low: int, high: int) -> int:
        return layout.speech.before(quietest_sample(activity, layout.speech.between(low, high))) if low < high else low

    cuts = choose_cuts(layout.speech, possible_cuts(layout.speech, layout.utterances), settings, quietest_between)
    texts = assign_text(layout.phrases if has_text else (), cuts)
    segments = tuple(_segments(layout.speech, cuts, texts, has_audio=True))
    audio_statistics = _audio_statistics(audio, activity, heard, layout.speech)
    notices = (*audio.notices, *(transcript.notices if transcript else ()))
    recording_quality = assess_quality(audio_statistics, transcript_statistics, len(segments), quality, notices)
    return Segmentation(
        segments=segments,
        quality=recording_quality,
        speakers=choice.speakers,
        language=transcript_statistics.language,
        levelling=level_speech(activity, layout.speech.ranges(), settings),
        has_audio=True,
        has_text=has_text,
    )


def _segment_text(
    transcript: Transcript, choice: SpeakerChoice, settings: SegmentSettings, quality: QualitySettings
) -> Segmentation:
    layout = align_without_audio(transcript, choice.kept)
    transcript_statistics = _transcript_statistics(transcript, choice, layout)
    possible = possible_cuts(layout.speech, layout.utterances)
    cuts = choose_cuts(layout.speech, possible, settings, lambda low, high: (low + high) // 2)
    segments = tuple(_segments(layout.speech, cuts, assign_text(layout.phrases, cuts), has_audio=False))
    return Segmentation(
        segments=segments,
        quality=assess_quality(None, transcript_statistics, len(segments), quality, transcript.notices),
        speakers=choice.speakers,
        language=transcript_statistics.language,
        has_audio=False,
        has_text=transcript_statistics.words_used >= quality.least_words,
    )


def _transcript_statistics(sent: Transcript | None, choice: SpeakerChoice, layout: AlignedText) -> TranscriptStatistics:
    everything = sent.utterances if sent else ()
    return TranscriptStatistics(
        sent=sent is not None,
        words=sent.words if sent else 0,
        words_used=Transcript(utterances=choice.kept).words,
        end=max((utterance.end or 0.0 for utterance in everything), default=0.0) if layout.timed else None,
        speakers_left_out=len(choice.kept) < len(everything),
        unknown_speakers=choice.speakers if choice.unknown else (),
        uncued_seconds=layout.uncued / SAMPLE_RATE,
        shared_seconds=layout.shared / SAMPLE_RATE,
        language=find_language(" ".join(utterance.text for utterance in choice.kept)),
    )


def _audio_statistics(
    audio: Audio, activity: VoiceActivity, heard: SpeechTimeline, used: SpeechTimeline
) -> AudioStatistics:
    return AudioStatistics(
        duration=audio.seconds,
        heard=heard.length / SAMPLE_RATE,
        used=used.length / SAMPLE_RATE,
        sound=measure_sound(activity, heard.ranges(), used.ranges(), audio.gain),
        source_rate=audio.source.sample_rate,
        clipping=audio.clipping,
        not_finite=audio.not_finite_share,
    )


def _segments(speech: SpeechTimeline, cuts: list[int], texts: list[str], *, has_audio: bool) -> list[Segment]:
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
