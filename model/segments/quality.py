"""Quality of a recording before scoring: measures, warnings, and the flags that forbid a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.config import QualitySettings
from model.recording.notice import Notice
from model.segments.language import FoundLanguage
from model.segments.sound import SILENT, SoundMeasures
from model.segments.speakers import HeardSpeaker

MOST_NOT_FINITE = 0.001
TOLERATED_OVERHANG = 5.0
# Voice activity detection and transcription tools differ in where words begin and end.
TOLERATED_UNCUED = 5.0
TOLERATED_SHARED = 2.0
MOST_SHOWN = 10
LONGEST_LABEL = 40
SLOWEST_SPEECH, FASTEST_SPEECH = 0.3, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFlag:
    """A finding about the quality of a recording; with a hard flag the recording gets no score."""

    code: str
    hard: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingQuality:
    """Measures of a recording in seconds, words, dB and Hz; None if there is nothing to measure.

    Levels are those of the file as sent, relative to full scale: the active speech level, the peak, the noise in the
    pauses.
    """

    duration_seconds: float
    speech_seconds: float
    segments: int
    words: int
    snr_db: float | None
    clipping: float | None
    flags: tuple[RecordingFlag, ...]
    level_dbfs: float | None = None
    peak_dbfs: float | None = None
    noise_dbfs: float | None = None
    bandwidth_hz: float | None = None
    source_rate_hz: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStatistics:
    """Audio measures: seconds of audio, of all speech and of the speech that is used; shares; sound; Hz as sent."""

    duration: float
    heard: float
    used: float
    clipping: float
    not_finite: float
    sound: SoundMeasures = SILENT
    source_rate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptStatistics:
    """Transcript measures: whether one was sent, its words, the words that are used, and its end in seconds.

    `unknown_speakers` holds everybody if the participant could not be told from the others, else nobody. The seconds
    are of detected speech: outside every utterance, and in utterances of a scored and another speaker at once.
    """

    sent: bool
    words: int
    words_used: int
    end: float | None
    speakers_left_out: bool
    unknown_speakers: tuple[HeardSpeaker, ...] = ()
    uncued_seconds: float = 0.0
    shared_seconds: float = 0.0
    language: FoundLanguage | None = None


def assess_quality(
    audio: AudioStatistics | None,
    transcript: TranscriptStatistics,
    segments: int,
    settings: QualitySettings,
    notices: Sequence[Notice] = (),
) -> RecordingQuality:
    """The quality of a recording; the audio statistics are None if no audio was sent. See docs/method.md (K7).

    Each notice of the reading becomes a soft flag.
    """
    if audio is None:
        flags = (*_without_audio(transcript, settings), *_of_language(transcript, settings))
    else:
        flags = (
            *_of_sound(audio, transcript, settings),
            *_of_wording(audio, transcript, settings),
            *_of_speakers(transcript),
            *_of_language(transcript, settings),
        )
    return RecordingQuality(
        duration_seconds=audio.duration if audio else transcript.end or 0.0,
        speech_seconds=audio.used if audio else 0.0,
        segments=segments,
        words=transcript.words_used,
        snr_db=audio.sound.snr if audio else None,
        clipping=audio.clipping if audio else None,
        level_dbfs=audio.sound.level if audio else None,
        peak_dbfs=audio.sound.peak if audio else None,
        noise_dbfs=audio.sound.noise if audio else None,
        bandwidth_hz=audio.sound.bandwidth if audio else None,
        source_rate_hz=audio.source_rate if audio else None,
        flags=(*flags, *(RecordingFlag(code=each.code, hard=False, message=each.message) for each in notices)),
    )


def _without_audio(transcript: TranscriptStatistics, settings: QualitySettings) -> tuple[RecordingFlag, ...]:
    unknown = bool(transcript.unknown_speakers)
    silent = not unknown and transcript.words_used == 0 and transcript.speakers_left_out
    return (
        *_participant_unknown(transcript),
        *_hard(silent, "no_participant_speech", _NO_PARTICIPANT),
        *_hard(
            not (unknown or silent) and transcript.words_used < settings.least_words,
            "text_too_short",
            f"The transcript has {transcript.words_used} words to use; at least {settings.least_words} are needed. "
            "Send a longer transcript, or the audio.",
        ),
        *_soft(
            True,
            "audio_missing",
            "No audio was sent, so the estimate rests on the words alone. Send the audio too for the full estimate.",
        ),
        *_soft(transcript.end is None, "text_times_estimated", _ESTIMATED_FROM_WORDS),
    )


def _of_sound(
    audio: AudioStatistics, transcript: TranscriptStatistics, settings: QualitySettings
) -> tuple[RecordingFlag, ...]:
    unusable = audio.not_finite > MOST_NOT_FINITE
    # Each cause excludes the next ones, which would only be its consequences.
    silence = not unusable and audio.heard == 0
    unknown = bool(transcript.unknown_speakers)
    nobody = transcript.speakers_left_out and (audio.used == 0 or transcript.words_used == 0)
    left_out = not (unusable or silence or unknown) and nobody
    too_short = not (unusable or silence or unknown or left_out) and audio.used < settings.least_speech
    return (
        *_participant_unknown(transcript),
        *_hard(
            unusable,
            "audio_not_finite",
            "Many of the audio's samples are not numbers, so it was damaged before it was sent. Export it again.",
        ),
        *_hard(
            silence,
            "silence",
            "No speech was found in the audio. Check the microphone and the file, or send the transcript without "
            "audio.",
        ),
        *_hard(left_out, "no_participant_speech", _NO_PARTICIPANT),
        *_hard(
            too_short,
            "speech_too_short",
            f"The audio holds {audio.used:.1f} s of usable speech; at least {settings.least_speech:g} s are needed. "
            "Send a longer recording, or send the transcript without audio to have the words alone scored.",
        ),
        *_of_level(audio.sound, settings),
        *_soft(
            audio.clipping > settings.most_clipping,
            "clipping",
            f"{audio.clipping:.1%} of the samples are clipped, so the voice is distorted. Lower the recording level.",
        ),
    )


def _of_level(sound: SoundMeasures, settings: QualitySettings) -> tuple[RecordingFlag, ...]:
    return (
        *_soft(
            sound.level is not None and sound.level < settings.lowest_level,
            "low_level",
            f"The speech has an active level of {sound.level or 0.0:.0f} dBFS, so the steps of the converter and the "
            "noise of the microphone are close to it. Raise the recording level.",
        ),
        *_soft(
            sound.snr is not None and sound.snr < settings.lowest_snr,
            "low_snr",
            f"Speech is only {sound.snr or 0.0:.1f} dB above the background, so the voice is hard to read. "
            "Record closer to the speaker or in a quieter room.",
        ),
        *_soft(
            sound.bandwidth is not None and sound.bandwidth < settings.narrowest_band,
            "narrow_bandwidth",
            f"The speech holds nothing above {(sound.bandwidth or 0.0) / 1000:.1f} kHz, as on a telephone line. Record "
            "at 16 kHz or more.",
        ),
    )


def _of_wording(
    audio: AudioStatistics, transcript: TranscriptStatistics, settings: QualitySettings
) -> tuple[RecordingFlag, ...]:
    used = transcript.words_used >= settings.least_words
    return (
        *_soft(
            not transcript.sent,
            "transcript_missing",
            "No transcript was sent, so the estimate rests on the voice alone. Send the transcript too for the full "
            "estimate.",
        ),
        *_soft(
            transcript.sent and not used,
            "transcript_too_short",
            f"The transcript has {transcript.words_used} words to use, fewer than {settings.least_words}, and counts "
            "as missing: the estimate rests on the voice alone. Send the whole transcript.",
        ),
        *_soft(
            used and transcript.end is None,
            "text_times_estimated",
            "The transcript has no times, so its sentences were spread evenly over the speech. Send WebVTT, SRT or "
            "JSON with times for exact segments.",
        ),
        *_soft(
            used and transcript.end is None and transcript.speakers_left_out,
            "interviewer_in_audio",
            "The transcript names speakers but has no times, so the interviewer's words were left out and the "
            "interviewer's voice was not. Send a transcript with times.",
        ),
        *_soft(
            used and audio.used > 0 and _mismatch(audio, transcript),
            "transcript_audio_mismatch",
            "Transcript and audio do not seem to belong together: the transcript runs past the audio, or its words "
            "are far too many or too few for the speech. Check that both are of the same recording.",
        ),
    )


def _of_speakers(transcript: TranscriptStatistics) -> tuple[RecordingFlag, ...]:
    """Flags of speech that the times of the transcript assign to nobody, or to two speakers at once."""
    if transcript.unknown_speakers:
        return ()
    return (
        *_soft(
            transcript.uncued_seconds > TOLERATED_UNCUED,
            "speech_outside_transcript",
            f"{transcript.uncued_seconds:.0f} s of speech are outside every utterance of the transcript. They were "
            "left out if the transcript labels its speakers, and scored as the participant's if it does not. Send "
            "the whole transcript with speaker labels.",
        ),
        *_soft(
            transcript.shared_seconds > TOLERATED_SHARED,
            "speakers_overlap",
            f"{transcript.shared_seconds:.0f} s of speech are in utterances of the participant and of another speaker "
            "at once. They were left out of the voice. Send a transcript whose times do not overlap.",
        ),
    )


def _of_language(transcript: TranscriptStatistics, settings: QualitySettings) -> tuple[RecordingFlag, ...]:
    found = transcript.language
    return _soft(
        found is not None and bool(settings.languages) and found.code not in settings.languages,
        "language_not_supported",
        f"The words seem to be in another language ({found.code if found else ''}) than the model was trained on "
        f"({', '.join(settings.languages)}), so the estimate may mean nothing. Use a model of the language.",
    )


def _participant_unknown(transcript: TranscriptStatistics) -> tuple[RecordingFlag, ...]:
    shown = transcript.unknown_speakers[:MOST_SHOWN]
    more = len(transcript.unknown_speakers) - len(shown)
    listed = "; ".join(map(_described, shown)) + (f"; and {more} more" if more else "")
    return _hard(
        bool(transcript.unknown_speakers),
        "participant_unknown",
        f"The transcript does not say which speaker is the participant, so nobody was scored. Speakers: {listed}. "
        'Name the label in "participant" (or the others in "interviewer"), or send "participant": "everyone" to score '
        "all of them together.",
    )


def _described(speaker: HeardSpeaker) -> str:
    label = "without a label" if speaker.label is None else f'"{_printable(speaker.label)}"'
    seconds = "" if speaker.seconds is None else f"{speaker.seconds:.1f} s, "
    return f"{label} ({seconds}{speaker.words} words)"


def _printable(label: str) -> str:
    clean = "".join(letter if letter.isprintable() and letter != '"' else " " for letter in label)
    return clean if len(clean) <= LONGEST_LABEL else clean[: LONGEST_LABEL - 1] + "…"


def _mismatch(audio: AudioStatistics, transcript: TranscriptStatistics) -> bool:
    overhang = (transcript.end or 0.0) - audio.duration
    # Without times, speech cannot be assigned to speakers: all words are compared with all speech.
    words = transcript.words if transcript.end is None else transcript.words_used
    return overhang > TOLERATED_OVERHANG or not SLOWEST_SPEECH <= words / audio.used <= FASTEST_SPEECH


def _hard(holds: bool, code: str, message: str) -> tuple[RecordingFlag, ...]:
    return (RecordingFlag(code=code, hard=True, message=message),) if holds else ()


def _soft(holds: bool, code: str, message: str) -> tuple[RecordingFlag, ...]:
    return (RecordingFlag(code=code, hard=False, message=message),) if holds else ()


_NO_PARTICIPANT = (
    "Everything that is said is labelled as the interviewer's, who is left out. Check the speaker labels of the "
    "transcript and its times, or send it without labels."
)
_ESTIMATED_FROM_WORDS = (
    "The transcript has no times, so they were estimated from the number of words. Send WebVTT, SRT or JSON with "
    "times for exact segments."
)
