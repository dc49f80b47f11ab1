"""Files as tools and people write them, each of which was once read wrong."""

from pathlib import Path

import pytest

from model.config import AudioLimits
from model.errors import TranscriptUnreadable
from model.recording.transcript import parse_transcript

CASES = Path(__file__).parent / "cases"
REFERENCE = parse_transcript((CASES / "interview.vtt").read_bytes(), AudioLimits())


def read(name):
    return parse_transcript((CASES / name).read_bytes(), AudioLimits())


def codes(transcript):
    return [notice.code for notice in transcript.notices]


def times(transcript):
    return [(said.start, said.end) for said in transcript.utterances]


def texts(transcript):
    return [said.text for said in transcript.utterances]


def test_the_reference_has_the_words_and_seconds_of_its_description():
    participant = [said for said in REFERENCE.utterances if said.speaker == "Participant"]

    assert REFERENCE.words == 191
    assert sum(len(said.text.split()) for said in participant) == 148
    assert sum(said.end - said.start for said in participant) == pytest.approx(40.62, abs=0.005)


@pytest.mark.parametrize(
    ("name", "form", "unit"),
    [
        ("daic_TRANSCRIPT.csv", "daic_woz", "seconds"),
        ("whisper.tsv", "whisper_tsv", "milliseconds"),
        ("session.TextGrid", "textgrid", "seconds"),
        ("subs.ass", "ass", "clock"),
        ("no_fractions.srt", "subrip", "clock"),
        ("no_blank_between_cues.srt", "subrip", "clock"),
        ("space_only_line.vtt", "webvtt", "clock"),
        ("style_blank_line.vtt", "webvtt", "clock"),
        ("assemblyai_ms.json", "assemblyai_json", "milliseconds"),
        ("tiny_negative_start.json", "whisper_json", "seconds"),
        ("one_untimed_segment.json", "whisper_json", "seconds"),
        ("zoom_dr_label.vtt", "webvtt", "clock"),
        ("otter.txt", "labelled_text", "clock"),
    ],
)
def test_a_case_has_the_words_of_the_reference_in_13_utterances(name, form, unit):
    transcript = read(name)

    assert (transcript.format, transcript.time_unit) == (form, unit)
    assert len(transcript.utterances) == 13
    assert transcript.words == 191
    assert transcript.timed


@pytest.mark.parametrize(
    "name",
    [
        "whisper.tsv",
        "session.TextGrid",
        "no_blank_between_cues.srt",
        "space_only_line.vtt",
        "style_blank_line.vtt",
        "assemblyai_ms.json",
        "zoom_dr_label.vtt",
    ],
)
def test_a_case_has_the_exact_times_and_words_of_the_reference(name):
    assert times(read(name)) == times(REFERENCE)
    assert texts(read(name)) == texts(REFERENCE)


def test_daic_woz_leaves_the_interviewer_to_be_told_by_the_label():
    assert [said.speaker for said in read("daic_TRANSCRIPT.csv").utterances][:2] == ["Ellie", "Participant"]
    assert times(read("daic_TRANSCRIPT.csv")) == times(REFERENCE)


def test_otter_gives_labels_and_starts_and_its_credit_is_not_spoken():
    transcript = read("otter.txt")

    assert [said.speaker for said in transcript.utterances] == [said.speaker for said in REFERENCE.utterances]
    assert [said.start for said in transcript.utterances] == [int(said.start) for said in REFERENCE.utterances]
    assert texts(transcript)[-1] == "Thank you, we can stop here for today."
    assert codes(transcript) == ["transcript_credit_skipped", "transcript_ends_estimated"]


def test_names_with_titles_and_pronouns_are_labels():
    transcript = read("zoom_dr_label.vtt")

    assert {said.speaker for said in transcript.utterances} == {"Dr. A. Doe", "B. Roe (she/her)"}
    assert codes(transcript) == []


def test_a_negative_time_refuses_the_file_with_its_line():
    with pytest.raises(TranscriptUnreadable, match="Line 2 has malformed times"):
        read("negative_first.srt")


@pytest.mark.parametrize("cue", [1, 5, 13])
def test_a_negative_time_refuses_the_file_wherever_it_stands(cue):
    lines = (CASES / "no_blank_between_cues.srt").read_text().split("\n")
    timing = 3 * (cue - 1) + 1
    lines[timing] = "00:00:0-1,-500 -->" + lines[timing].partition("-->")[2]

    with pytest.raises(TranscriptUnreadable, match=f"Line {timing + 1} has malformed times"):
        parse_transcript("\n".join(lines).encode(), AudioLimits())


def test_rolling_captions_are_read_once_and_a_line_of_spaces_ends_no_cue():
    assert codes(read("space_only_line.vtt")) == ["transcript_repeats_removed"]


def test_an_empty_line_in_a_style_block_costs_the_rest_of_the_block():
    notices = read("style_blank_line.vtt").notices

    assert [notice.code for notice in notices] == ["transcript_cue_skipped"]
    assert "line 8" in notices[0].message


def test_a_start_slightly_before_0_is_0():
    transcript = read("tiny_negative_start.json")

    assert times(transcript)[0] == (0.0, 3.992)
    assert times(transcript)[1:] == times(REFERENCE)[1:]
    assert codes(transcript) == ["transcript_time_clamped"]


def test_a_segment_without_text_is_skipped():
    transcript = read("null_text.json")

    assert texts(transcript) == [text for at, text in enumerate(texts(REFERENCE)) if at != 4]
    assert codes(transcript) == ["transcript_text_missing"]


def test_one_segment_without_times_leaves_the_others_theirs():
    transcript = read("one_untimed_segment.json")
    untimed = 4

    assert [pair for at, pair in enumerate(times(transcript)) if at != untimed] == [
        pair for at, pair in enumerate(times(REFERENCE)) if at != untimed
    ]
    assert times(transcript)[untimed] == (times(REFERENCE)[3][1], times(REFERENCE)[5][0])
    assert codes(transcript) == ["transcript_times_filled"]


def test_an_end_that_no_person_needs_is_bounded():
    transcript = read("sentinel_end.vtt")

    assert len(texts(transcript)[1].split()) == 20
    assert times(transcript) == [(0.5, 9.0), (9.5, 29.5)]
    assert codes(transcript) == ["transcript_end_bounded"]


def test_chinese_is_counted_by_its_characters():
    transcript = read("chinese.vtt")
    characters = sum(1 for said in transcript.utterances for letter in said.text if "\u4e00" <= letter <= "\u9fff")

    assert transcript.words == pytest.approx(characters / 1.4, abs=13 * 0.5)


def test_cues_of_the_participant_alone_and_overlapping_cues_are_read_as_they_are():
    assert {said.speaker for said in read("participant_only.vtt").utterances} == {"Participant"}
    assert read("participant_only.vtt").words == 148
    assert times(read("overlapping_cues.vtt"))[1] == (3.342, 10.965)
    assert codes(read("overlapping_cues.vtt")) == []
