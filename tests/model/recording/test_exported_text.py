"""Plain text as tools and people export it: what is a label, what is a time, and what is said."""

import pytest

from model.config import AudioLimits
from model.recording.transcript import parse_transcript

LONG = "Mostly tired. I wake up before four."


def rows(text):
    return [(said.start, said.speaker, said.text) for said in parse_transcript(text.encode(), AudioLimits()).utterances]


def codes(text):
    return [notice.code for notice in parse_transcript(text.encode(), AudioLimits()).notices]


@pytest.mark.parametrize(
    "text",
    [
        f"Interviewer: (00:01)\nHow are you?\nAnn: (00:05)\n{LONG}\nInterviewer: (00:15)\nWhy?\n",
        f"Interviewer (0:01): How are you?\nAnn (0:05): {LONG}\nInterviewer (0:15): Why?\n",
        f"00:00:01 Interviewer\nHow are you?\n00:00:05 Ann\n{LONG}\n00:00:15 Interviewer\nWhy?\n",
        f"[00:00:01.0] - Interviewer\nHow are you?\n\n[00:00:05.0] - Ann\n{LONG}\n\n[00:00:15.0] - Interviewer\nWhy?",
        f"[00:01] Interviewer: How are you?\n[00:05] Ann: {LONG}\n[00:15] Interviewer: Why?\n",
        f"00:00:01\nInterviewer: How are you?\n\n00:00:05\nAnn: {LONG}\n\n00:00:15\nInterviewer: Why?\n",
        f"Interviewer   0:01\nHow are you?\nAnn   0:05\n{LONG}\nInterviewer   0:15\nWhy?\n",
    ],
)
def test_labels_and_clock_times_in_the_order_of_many_tools(text):
    assert rows(text) == [(1.0, "Interviewer", "How are you?"), (5.0, "Ann", LONG), (15.0, "Interviewer", "Why?")]


def test_times_of_the_day_are_counted_from_the_first():
    text = f"[Dr. A. Doe] 14:03:22\nHow are you?\n\n[B. Roe] 14:03:30\n{LONG}\n"

    assert rows(text) == [(0.0, "Dr. A. Doe", "How are you?"), (8.0, "B. Roe", LONG)]
    assert codes(text) == ["transcript_times_shifted", "transcript_ends_estimated"]


@pytest.mark.parametrize(
    "text",
    [
        f"Interviewer: How are you?\nAnn: {LONG}\nInterviewer: Why?\nAnn: No idea.\n",
        f"**Interviewer:** How are you?\n\n**Ann:** {LONG}\n\n**Interviewer:** Why?\n\n**Ann:** No idea.\n",
        f"Interviewer\nHow are you?\n\nAnn\n{LONG}\n\nInterviewer\nWhy?\n\nAnn\nNo idea.\n",
        f"Interviewer:\nHow are you?\nAnn:\n{LONG}\nInterviewer:\nWhy?\nAnn:\nNo idea.\n",
        f"Interviewer\uff1aHow are you?\nAnn\uff1a{LONG}\nInterviewer\uff1aWhy?\nAnn\uff1aNo idea.\n",
    ],
)
def test_labels_without_times(text):
    assert rows(text) == [
        (None, "Interviewer", "How are you?"),
        (None, "Ann", LONG),
        (None, "Interviewer", "Why?"),
        (None, "Ann", "No idea."),
    ]


@pytest.mark.parametrize(
    "label", ["Dr. A. Doe", "Prof. Dr. med. B. Roe", "Roe, Ben", "Speaker 1", "B. Roe (she/her)", "医生"]
)
def test_names_are_labels(label):
    assert rows(f"{label}: {LONG}\nOther: Why?\n{label}: No idea.\n")[0] == (None, label, LONG)


@pytest.mark.parametrize(
    "text",
    [
        "I woke at 10:30 and slept again. Then at 11:45 I rose.\nAll was well on that day.",
        "10:30 was when I woke up. I slept again.",
    ],
)
def test_times_and_colons_within_prose_are_words(text):
    assert [(start, speaker) for start, speaker, _ in rows(text)] == [(None, None)]


def test_a_title_before_the_first_label_is_left_out():
    text = f"Interview 12, third of March\n\nInterviewer: How are you?\nAnn: {LONG}\nInterviewer: Why?\nAnn: No idea.\n"

    assert rows(text)[0] == (None, "Interviewer", "How are you?")
    assert codes(text) == ["transcript_heading_skipped"]


def test_labels_inside_a_cue_divide_it():
    text = (
        "1\n00:00:00,000 --> 00:00:04,000\nInterviewer: abc\nAnn: abcdefghi\n\n"
        "2\n00:00:05,000 --> 00:00:06,000\nInterviewer: def\n\n3\n00:00:07,000 --> 00:00:08,000\nAnn: ghi\n"
    )

    assert rows(text) == [
        (0.0, "Interviewer", "abc"),
        (1.0, "Ann", "abcdefghi"),
        (5.0, "Interviewer", "def"),
        (7.0, "Ann", "ghi"),
    ]
