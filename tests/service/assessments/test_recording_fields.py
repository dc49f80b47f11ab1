import pytest
from pydantic import ValidationError

from service.assessments.states import RecordingFields


def test_one_label_may_stand_without_a_list():
    fields = RecordingFields.model_validate_json('{"participant": " SPEAKER_01 ", "interviewer": ["A", "B"]}')
    assert (fields.participant, fields.interviewer) == (("SPEAKER_01",), ("A", "B"))


def test_only_what_was_given_is_stored():
    assert RecordingFields().recording_options() is None
    given = RecordingFields(participant="everyone", audio_track=2)
    assert given.recording_options() == {"participant": ("everyone",), "audio_track": 2}


@pytest.mark.parametrize(
    "fields",
    [
        {"participant": ""},
        {"participant": "  "},
        {"participant": "a\nb"},
        {"participant": ["x" * 129]},
        {"participant": ["x"] * 17},
        {"participant": 7},
        {"participant": ["everyone", "A"]},
        {"participant": "Everyone", "interviewer": "A"},
        {"participant": ["A", "B"], "interviewer": "b"},
        {"audio_track": 0},
        {"participant_channel": 65},
        {"audio_track": 1.5},
    ],
)
def test_what_cannot_be_meant_is_refused(fields):
    with pytest.raises(ValidationError):
        RecordingFields.model_validate(fields)
