"""Transcripts that are refused by name, and units of time that are found or refused."""

import io
import json
import zipfile

import pytest

from model.config import AudioLimits
from model.errors import TranscriptTooLong, TranscriptUnreadable
from model.recording.transcript import parse_transcript

LIMITS = AudioLimits()
WORDS = "Mostly tired. I wake up before four in the morning and then I cannot sleep."


def parsed(text):
    return parse_transcript(text.encode(), LIMITS)


def archive(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"{\\rtf1\\ansi Interviewer: Hello\\par}", "RTF"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (archive("[Content_Types].xml", "word/document.xml"), "DOCX"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "XLSX"),
        (archive("mimetype", "application/vnd.oasis.opendocument.text"), "ODT"),
        (archive("a.txt"), "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "Word or Excel document of before 2007"),
        (b"<!DOCTYPE html><html><body>Interviewer: Hello</body></html>", "HTML"),
        (b"\n<html lang='en'><p>Hello there</p></html>", "HTML"),
        (b"<?xml version='1.0'?><playlist><title>Hello</title></playlist>", "XML of a kind"),
        (b"ooBinaryFile\x08TextGrid", "binary file of Praat"),
        (b"fLaC\x00\x00\x00\x22", "audio file"),
        (b"id;age;score\n1;20;3\n2;30;4\n3;25;5\n", "table"),
        (b"name\tword\tplace\nann\ttree\tBonn\nbob\tsea\tUlm\ncid\thill\tBern\n", "table"),
        (b"def f(x):\n    return {x: [y for y in x if y == 3]}\n\nprint(f(x) == {}, '<<<', ===)\n", "markup or code"),
        (b"12 34 5.6 7.8 9 10 11\n12 a 13 14 15 16\n", "numbers or symbols"),
        (b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg" * 3, "encoded data"),
    ],
)
def test_a_document_or_table_that_is_not_read_is_refused_by_name(content, name):
    with pytest.raises(TranscriptUnreadable, match=name) as refused:
        parse_transcript(content, LIMITS)

    assert "Hello" not in str(refused.value)
    assert refused.value.advice


def test_windows_1252_is_refused_with_its_line_and_not_guessed():
    with pytest.raises(TranscriptUnreadable, match="line 2 holds other bytes; it may be Windows-1252"):
        parse_transcript("Arzt: Guten Tag\nPatient: Müde".encode("cp1252"), LIMITS)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_converted(encoding):
    transcript = parse_transcript(f"\ufeffI was tired, {WORDS}".encode(encoding), LIMITS)

    assert transcript.utterances[0].text == f"I was tired, {WORDS}"
    assert [notice.code for notice in transcript.notices] == ["transcript_encoding_converted"]


def test_entities_of_xml_are_refused_before_they_grow():
    laughs = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 12))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE tt [<!ENTITY e0 "ha">{laughs}]><tt><body><p begin="0s">&e11;</p></body></tt>'
    )
    with pytest.raises(TranscriptUnreadable, match="document type"):
        parsed(bomb)


@pytest.mark.parametrize(
    ("factor", "unit", "codes"),
    [(1, "seconds", []), (1000, "milliseconds", ["transcript_time_unit"])],
)
def test_the_unit_of_unknown_json_is_found_by_the_words(factor, unit, codes):
    rows = [
        {"start": 2 * factor, "end": 7 * factor, "text": WORDS},
        {"start": 8 * factor, "end": 12 * factor, "text": WORDS},
    ]
    transcript = parsed(json.dumps(rows))

    assert transcript.time_unit == unit
    assert [(said.start, said.end) for said in transcript.utterances] == [(2, 7), (8, 12)]
    assert [notice.code for notice in transcript.notices] == codes


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_times_that_fit_no_unit_are_refused_with_words_a_minute(factor):
    rows = [{"start": 2 * factor, "end": 7 * factor, "text": WORDS}]

    with pytest.raises(TranscriptUnreadable, match="words a minute"):
        parsed(json.dumps(rows))


@pytest.mark.parametrize(
    "text",
    [
        f"WEBVTT\n\n16:00:00.000 --> 16:00:09.000\n{WORDS}\n",
        f"start_time\tstop_time\tspeaker\tvalue\n61125\t61130\tParticipant\t{WORDS}\n",
        "I was tired. " * 40_000,
        "P: yes\n" * 700_000,
        "[00:00:01] P: yes\n" * 270_000,
        "我很累。" * 300_000,
    ],
)
def test_a_transcript_longer_than_the_limit_is_refused(text):
    with pytest.raises(TranscriptTooLong):
        parsed(text)


def test_the_limit_is_that_of_the_settings():
    cue = f"WEBVTT\n\n00:01:00.000 --> 00:01:05.000\n{WORDS}\n"

    assert parse_transcript(cue.encode(), AudioLimits(seconds=65)).timed
    with pytest.raises(TranscriptTooLong, match="ends at 65 s; at most 64 s"):
        parse_transcript(cue.encode(), AudioLimits(seconds=64))


def test_three_hours_of_interview_are_accepted():
    cues = "".join(
        f"{minute // 60:02}:{minute % 60:02}:{ten}0.000 --> {minute // 60:02}:{minute % 60:02}:{ten}8.000\n{WORDS}\n\n"
        for minute in range(180)
        for ten in range(6)
    )

    assert parsed(f"WEBVTT\n\n{cues}").utterances[-1].end == 3 * 3600 - 2


def test_more_combining_marks_than_any_script_has_are_refused():
    with pytest.raises(TranscriptUnreadable, match="Line 2 has more than 30 combining marks"):
        parsed("I was\ntired" + "\u0301\u0327" * 20)


def test_prose_of_any_language_is_prose():
    for prose in (
        "Ich war müde. (lacht) [Pause] Und dann?",
        "我最近很累。",
        "मैं थका हुआ हूँ।",
        "ผมเหนื่อยมาก",
        "10 mg, two times.",
    ):
        assert parsed(prose).format == "plain_text"
