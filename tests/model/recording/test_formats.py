from pathlib import Path

import pytest

from model.config import AudioLimits
from model.recording.transcript import parse_transcript
from tests.model.recording.written import WRITTEN

EXAMPLE = Path(__file__).parents[3] / "examples" / "interview.vtt"
INTERVIEW = parse_transcript(EXAMPLE.read_bytes(), AudioLimits()).utterances


def parsed(name):
    return parse_transcript(WRITTEN[name].write(INTERVIEW).encode(), AudioLimits())


def test_the_example_is_an_interview_of_two_speakers():
    assert len(INTERVIEW) == 53
    assert {said.speaker for said in INTERVIEW} == {"Interviewer", "Participant"}
    assert INTERVIEW[1].text == "So, at the shop we finished a delivery on Monday."
    assert (INTERVIEW[1].start, INTERVIEW[1].end) == (3.05, 6.296)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_words_and_the_format_are_read_from_every_format(name):
    transcript = parsed(name)

    assert transcript.format == WRITTEN[name].format
    assert transcript.time_unit == WRITTEN[name].time_unit
    assert transcript.words == 495
    assert [said.text for said in transcript.utterances] == [said.text for said in INTERVIEW]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_speakers_are_read_from_every_format_that_has_them(name):
    expected = [WRITTEN[name].speakers(INTERVIEW, said.speaker) for said in INTERVIEW]

    assert [said.speaker for said in parsed(name).utterances] == expected


@pytest.mark.parametrize("name", [name for name in WRITTEN if WRITTEN[name].rounding is not None])
def test_the_times_are_read_within_the_rounding_of_the_format(name):
    transcript = parsed(name)

    assert transcript.timed
    for said, expected in zip(transcript.utterances, INTERVIEW, strict=True):
        assert said.start == pytest.approx(expected.start, abs=WRITTEN[name].rounding + 1e-9)
        assert said.end == pytest.approx(expected.end, abs=WRITTEN[name].rounding + 1e-9)


@pytest.mark.parametrize("name", ["otter", "rev", "otranscribe", "bracketed"])
def test_utterances_of_text_with_starts_alone_last_until_the_next(name):
    utterances = parsed(name).utterances

    assert [said.start for said in utterances] == [int(said.start) for said in INTERVIEW]
    assert [said.end for said in utterances[:-1]] == [said.start for said in utterances[1:]]
    assert len(INTERVIEW[-1].text.split()) == 11
    assert utterances[-1].end == 222 + 11 * 0.5
    assert [notice.code for notice in parsed(name).notices] == ["transcript_ends_estimated"]


@pytest.mark.parametrize("name", ["webvtt", "whisper_tsv", "elan", "chat", "assemblyai_json", "labelled", "prose"])
def test_a_well_formed_transcript_gets_no_notice(name):
    assert parsed(name).notices == ()
