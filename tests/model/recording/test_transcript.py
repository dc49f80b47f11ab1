import json

import pytest

from model.config import AudioLimits
from model.errors import TranscriptUnreadable
from model.recording.transcript import parse_transcript

VTT = """WEBVTT - an interview
Kind: captions

NOTE made by hand
on two lines

STYLE
::cue { color: white }

1
00:00:01.000 --> 00:00:03.500 align:start
<v Interviewer>How are <i>you</i>?

01:02:03.250 --> 01:02:05.000
<v.loud Participant>Tired &amp; well,
thank you</v>
"""
SRT = """1
00:00:01,000 --> 00:00:03,500
Interviewer: How are you?

2
00:00:04,000 --> 00:00:06,000
Participant: <i>Tired</i>
and {\\an8}well.

3
00:00:06,000 --> 00:00:07,000
Thank you.
"""


def parsed(text):
    return parse_transcript(text.encode(), AudioLimits())


def as_rows(transcript):
    return [(said.start, said.end, said.speaker, said.text) for said in transcript.utterances]


def test_webvtt_gives_times_voices_and_plain_words():
    transcript = parsed(VTT)

    assert as_rows(transcript) == [
        (1.0, 3.5, "Interviewer", "How are you?"),
        (3723.25, 3725.0, "Participant", "Tired & well, thank you"),
    ]
    assert transcript.timed
    assert transcript.words == 8


def test_a_byte_order_mark_and_windows_lines_change_nothing():
    assert parse_transcript(b"\xef\xbb\xbf" + VTT.replace("\n", "\r\n").encode(), AudioLimits()) == parsed(VTT)


def test_a_cue_may_follow_the_header_at_once_and_leave_out_hours():
    transcript = parsed("WEBVTT\n00:01.000 --> 00:02.000\nHello there\n")

    assert as_rows(transcript) == [(1.0, 2.0, None, "Hello there")]


def test_two_voices_of_a_cue_share_its_time_by_their_letters():
    transcript = parsed("WEBVTT\n\n00:00.000 --> 00:04.000\n<v A>abc</v> <v B>abcdefghi</v>\n")

    assert as_rows(transcript) == [(0.0, 1.0, "A", "abc"), (1.0, 4.0, "B", "abcdefghi")]


def test_a_less_than_sign_is_no_tag():
    transcript = parsed("WEBVTT\n\n00:00.000 --> 00:04.000\nit was < 3 or > 4 <00:00:01.000>times\n")

    assert transcript.utterances[0].text == "it was < 3 or > 4 times"


def test_srt_gives_times_and_speakers_and_a_cue_without_label_continues():
    assert as_rows(parsed(SRT)) == [
        (1.0, 3.5, "Interviewer", "How are you?"),
        (4.0, 6.0, "Participant", "Tired and well."),
        (6.0, 7.0, "Participant", "Thank you."),
    ]


def test_an_empty_cue_is_no_utterance():
    transcript = parsed("1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:02,000 --> 00:00:03,000\nyes indeed\n")

    assert [said.text for said in transcript.utterances] == ["yes indeed"]


def test_json_utterances_come_in_order_of_time():
    rows = [
        {"start": 4, "end": 5.5, "text": " I am\nwell ", "speaker": "P", "confidence": 0.5},
        {"start": 1, "end": 2, "text": "And you?", "speaker": " "},
        {"start": 2, "end": 2, "text": "  "},
    ]
    expected = [(1.0, 2.0, None, "And you?"), (4.0, 5.5, "P", "I am well")]

    assert as_rows(parsed(json.dumps(rows))) == expected
    assert as_rows(parsed(json.dumps({"utterances": rows}))) == expected


def test_whispers_own_json_is_read():
    whisper = {
        "text": " Hello. You.",
        "segments": [{"id": 0, "start": 0.0, "end": 1.2, "text": " Hello."}],
        "language": "en",
    }

    assert as_rows(parsed(json.dumps(whisper))) == [(0.0, 1.2, None, "Hello.")]
    assert as_rows(parsed('{"text": "Hello. You."}')) == [(None, None, None, "Hello. You.")]


def test_an_utterance_without_times_gets_the_time_between_its_neighbours():
    transcript = parsed(
        '[{"start": 1, "end": 2, "text": "one"}, {"text": "two more words"}, {"start": 3.5, "end": 4, "text": "three"}]'
    )

    assert as_rows(transcript) == [
        (1.0, 2.0, None, "one"),
        (2.0, 3.5, None, "two more words"),
        (3.5, 4.0, None, "three"),
    ]
    assert [notice.code for notice in transcript.notices] == ["transcript_times_filled"]


def test_times_of_a_minority_are_left_out():
    transcript = parsed('[{"text": "one"}, {"start": 1, "end": 2, "text": "two"}, {"text": "three"}]')

    assert not transcript.timed
    assert [notice.code for notice in transcript.notices] == ["transcript_times_left_out"]
    assert transcript.time_unit is None


def test_plain_text_keeps_its_paragraphs():
    transcript = parsed("I was tired\nall day.\n\nThen: nothing. At 10:30 I slept.\n")

    assert [said.text for said in transcript.utterances] == ["I was tired all day.", "Then: nothing. At 10:30 I slept."]
    assert not transcript.timed


def test_plain_text_with_speakers_before_the_words():
    transcript = parsed("Dr. Who: How are you?\nInterviewer: And?\n")
    assert [said.speaker for said in transcript.utterances] == ["Dr. Who", "Interviewer"]

    transcript = parsed("Interviewer: How are you?\nAnn: Tired.\nvery tired\nInterviewer: Why?\nAnn: No idea.\n")
    assert [said.speaker for said in transcript.utterances] == ["Interviewer", "Ann", "Ann", "Interviewer", "Ann"]
    assert transcript.utterances[1].text == "Tired."


def test_a_colon_now_and_then_makes_no_speaker():
    text = "Well: I was tired.\nSleep came late\nand then: nothing\nWork: fine\nHome: fine\n"

    assert all(said.speaker is None for said in parsed(text).utterances)


def test_plain_text_may_begin_with_a_bracket():
    assert parsed("[laughs] I was tired.").utterances[0].text == "[laughs] I was tired."


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no words"),
        (b" \n\n ", "no words"),
        (b"... -- ...", "no words"),
        (b"caf\xe9 and more", "UTF-8"),
        ("I was tired".encode("utf-16-le"), "control characters"),
        (b"\xff\xfeI\x00 ", "damaged UTF-16"),
        (b"RIFF\x00\x00\x00\x00", "audio file"),
        (b"\x02\x03 secret", "control characters in line 1"),
        (b"WEBVTT\n\n", "no words"),
        (b"WEBVTT\n\n00:00:0x.000 --> 00:00:01.000\nsecret words\n", "Line 3"),
        (b"WEBVTT\n\n00:61:00.000 --> 00:62:00.000\nsecret words\n", "Line 3"),
        (b"WEBVTT\n\nsecret words\nwithout times\n", "Line 3"),
        (b"WEBVTT\n\n00:00:05.000 --> 00:00:01.000\nsecret words\n", "Line 3"),
        (b"1\n00:00:05,000 --> 00:00:06,000\nsecret words\n\nmore secret words\n", "Line 5"),
        (b'{"utterances": [{"text": "secret"', "malformed"),
        (b'[{"start": 0, "end": "secret", "text": "a"}]', "invalid end"),
        (b'[{"start": 0, "end": 1, "text": "a"}, ["secret"]]', "Utterance 2"),
        (b'[{"start": NaN, "end": 1, "text": "secret"}]', "invalid start"),
        (b'[{"start": 5, "end": 1, "text": "secret"}]', "Utterance 1"),
        (b'[{"start": 5, "end": 1e300, "text": "secret"}]', "neither seconds nor milliseconds"),
        (b'{"secret": 1}', "neither"),
        (b"[[" + b"[" * 100_000, "malformed"),
    ],
)
def test_a_malformed_transcript_is_refused_without_echoing_it(content, what):
    with pytest.raises(TranscriptUnreadable, match=what) as refused:
        parse_transcript(content, AudioLimits())

    assert "secret" not in str(refused.value)
