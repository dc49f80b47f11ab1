from typing import Any

import pytest

from model.config import QualitySettings
from model.segments.quality import AudioStatistics, TranscriptStatistics, assess_quality

GOOD_SOUND = {"duration": 300.0, "heard": 220.0, "used": 200.0, "snr_db": 25.0, "clipping": 0.0, "not_finite": 0.0}
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
        ({"snr_db": 3.0}, {}, "low_snr"),
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
    ],
)
def test_a_soft_flag_warns_and_nothing_more(sound, wording, code):
    assert flags(sound, **wording) == {code: False}


def test_an_unmeasured_snr_is_no_warning():
    assert flags({"snr_db": None}) == {}


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
