from dataclasses import replace
from typing import Any

import pytest

from model.config import QualitySettings
from model.recording.notice import Notice
from model.segments.quality import AudioStatistics, RecordingFlag, TranscriptStatistics, assess_quality
from model.segments.sound import SILENT, SoundMeasures
from model.segments.speakers import HeardSpeaker

GOOD = SoundMeasures(level=-26.0, peak=-3.0, noise=-51.0, snr=25.0, bandwidth=8000.0)
GOOD_SOUND: dict[str, Any] = {
    "duration": 300.0,
    "heard": 220.0,
    "used": 200.0,
    "clipping": 0.0,
    "not_finite": 0.0,
    "sound": GOOD,
}
GOOD_WORDS: dict[str, Any] = {"sent": True, "words": 600, "words_used": 400, "end": 299.0, "speakers_left_out": True}


def flags(sound=None, **wording):
    heard = None if sound is None else AudioStatistics(**(GOOD_SOUND | sound))
    found = assess_quality(heard, TranscriptStatistics(**(GOOD_WORDS | wording)), 10, QualitySettings())
    return {flag.code: flag.hard for flag in found.flags}


def test_a_good_recording_has_no_flag():
    assert flags({}) == {}


@pytest.mark.parametrize(
    ("sound", "wording", "code"),
    [
        ({"heard": 0.0, "used": 0.0}, {}, "silence"),
        ({"heard": 8.0, "used": 8.0}, {"words_used": 16}, "speech_too_short"),
        ({"not_finite": 0.01}, {}, "audio_not_finite"),
        ({"not_finite": 1.0, "heard": 0.0, "used": 0.0}, {}, "audio_not_finite"),
        ({"used": 0.0}, {"words_used": 0}, "no_participant_speech"),
        ({}, {"words_used": 0, "end": None}, "no_participant_speech"),
    ],
)
def test_one_hard_flag_says_why_the_audio_cannot_be_scored(sound, wording, code):
    assert [name for name, hard in flags(sound, **wording).items() if hard] == [code]


@pytest.mark.parametrize(
    ("sound", "wording", "code"),
    [
        ({"sound": replace(GOOD, snr=3.0)}, {}, "low_snr"),
        ({"sound": replace(GOOD, level=-46.0)}, {}, "low_level"),
        ({"sound": replace(GOOD, bandwidth=3900.0)}, {}, "narrow_bandwidth"),
        ({"clipping": 0.02}, {}, "clipping"),
        (
            {},
            {"sent": False, "words": 0, "words_used": 0, "end": None, "speakers_left_out": False},
            "transcript_missing",
        ),
        ({}, {"words": 12, "words_used": 4}, "transcript_too_short"),
        ({}, {"end": None, "speakers_left_out": False}, "text_times_estimated"),
        ({}, {"end": 306.0}, "transcript_audio_mismatch"),
        ({}, {"words_used": 50}, "transcript_audio_mismatch"),
        ({}, {"words_used": 1500}, "transcript_audio_mismatch"),
        ({}, {"uncued_seconds": 6.0}, "speech_outside_transcript"),
        ({}, {"shared_seconds": 3.0}, "speakers_overlap"),
    ],
)
def test_a_soft_flag_warns_and_nothing_more(sound, wording, code):
    assert flags(sound, **wording) == {code: False}


def test_what_was_not_measured_is_no_warning():
    assert flags({"sound": SILENT}) == {}


TWO = (
    HeardSpeaker(label="SPEAKER_00", seconds=12.0, words=40, scored=False),
    HeardSpeaker(label='a "b"\n' + "x" * 60, seconds=None, words=3, scored=False),
)


@pytest.mark.parametrize("sound", [{"used": 0.0}, None])
def test_an_unknown_participant_is_the_only_reason_and_lists_the_speakers(sound):
    wording = {"unknown_speakers": TWO, "words_used": 0, "uncued_seconds": 9.0}
    heard = None if sound is None else AudioStatistics(**(GOOD_SOUND | sound))
    found = assess_quality(heard, TranscriptStatistics(**(GOOD_WORDS | wording)), 0, QualitySettings()).flags
    (flag,) = [flag for flag in found if flag.hard]
    assert flag.code == "participant_unknown"
    assert '"SPEAKER_00" (12.0 s, 40 words)' in flag.message
    assert '"everyone"' in flag.message
    assert "\n" not in flag.message
    assert "x" * 45 not in flag.message


def test_a_long_list_of_speakers_is_cut_short():
    many = tuple(HeardSpeaker(label=f"S{at}", seconds=None, words=1, scored=False) for at in range(25))
    found = assess_quality(
        None, TranscriptStatistics(**(GOOD_WORDS | {"unknown_speakers": many, "words_used": 0})), 0, QualitySettings()
    )
    assert "and 15 more" in found.flags[0].message


def test_a_notice_of_the_reading_is_a_soft_flag():
    notice = Notice(code="cue_skipped", message="Line 3 was skipped.")
    found = assess_quality(None, TranscriptStatistics(**GOOD_WORDS), 1, QualitySettings(), [notice])
    assert RecordingFlag(code="cue_skipped", hard=False, message="Line 3 was skipped.") in found.flags


def test_labels_without_times_leave_the_interviewer_in_the_audio():
    assert flags({}, end=None) == {"text_times_estimated": False, "interviewer_in_audio": False}


def test_words_alone_are_flagged_and_enough():
    assert flags(None) == {"audio_missing": False}
    assert flags(None, end=None) == {"audio_missing": False, "text_times_estimated": False}


def test_too_few_words_alone_cannot_be_scored():
    assert flags(None, words_used=9) == {"text_too_short": True, "audio_missing": False}
    assert flags(None, words_used=0) == {"no_participant_speech": True, "audio_missing": False}


def test_a_flags_message_gives_the_figure_and_what_to_do():
    short = AudioStatistics(**(GOOD_SOUND | {"heard": 8.0, "used": 8.0}))

    (flag,) = assess_quality(
        short, TranscriptStatistics(**(GOOD_WORDS | {"words_used": 20})), 1, QualitySettings()
    ).flags

    assert "8.0 s" in flag.message
    assert "without audio" in flag.message
