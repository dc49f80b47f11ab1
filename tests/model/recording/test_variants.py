"""Variants of the formats that the example interview does not show."""

import json

import pytest

from model.config import AudioLimits
from model.errors import TranscriptUnreadable
from model.recording.transcript import parse_transcript

HI, LONG = "How are you?", "Mostly tired, I wake up before four."


def parsed(text):
    return parse_transcript((text if isinstance(text, str) else json.dumps(text)).encode(), AudioLimits())


def rows(text):
    return [(said.start, said.end, said.speaker, said.text) for said in parsed(text).utterances]


def test_webvtt_reads_cues_without_a_blank_line_between_them():
    text = f"WEBVTT\n\n1\n00:01.000 --> 00:02.000\n{HI}\n2\n00:03.000 --> 00:05.000\n{LONG}\n"

    assert rows(text) == [(1.0, 2.0, None, HI), (3.0, 5.0, None, LONG)]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_malformed_cue_of_webvtt_costs_that_cue_wherever_it_stands(place):
    cues = [f"00:0{at}.000 --> 00:0{at + 1}.000\n{HI}\n" for at in (1, 3, 5)]
    cues[place] = f"00:00:0x.000 --> 00:00:09.000\n{LONG}\n"
    transcript = parsed("WEBVTT\n\n" + "\n".join(cues))

    assert [said.start for said in transcript.utterances] == [at for at in (1.0, 3.0, 5.0) if at != 2 * place + 1]
    assert [notice.code for notice in transcript.notices] == ["transcript_cue_skipped"]
    assert f"line {3 + 3 * place}" in transcript.notices[0].message


@pytest.mark.parametrize(("fraction", "seconds"), [("", 1.0), (",5", 1.5), (".25", 1.25), (",123456789", 1.123456789)])
def test_srt_reads_fractions_of_0_to_9_digits(fraction, seconds):
    assert rows(f"1\n00:00:01{fraction} --> 00:00:03\n{HI}\n") == [(seconds, 3.0, None, HI)]


def test_ttml_reads_offsets_ticks_frames_and_nested_times():
    text = (
        '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:tickRate="1000" '
        f'ttp:frameRate="25"><body begin="10s"><div><p begin="1500t" dur="2s">{HI}</p>'
        f'<p begin="00:00:05:05" end="8000ms">Mostly <span>tired,</span><br/>I wake up before four.</p>'
        "</div></body></tt>"
    )

    assert rows(text) == [(11.5, 13.5, None, HI), (15.2, 18.0, None, LONG)]


def test_textgrid_leaves_out_phones_points_and_repeated_tiers():
    text = (
        '"ooTextFile"\n"TextGrid"\n0 9 <exists> 5\n'
        f'"IntervalTier" "Ann" 0 9 2 0 1 "" 1 3 "said ""{HI}"""\n'
        f'"IntervalTier" "Ann - words" 0 9 3 1 2 "said" 2 3 """{HI}""" 3 9 "sil"\n'
        '"IntervalTier" "Ann - phones" 0 9 1 1 2 "s"\n"TextTier" "marks" 0 9 1 1.5 "click"\n'
        f'"IntervalTier" "Bob" 0 9 1 4 6 "{LONG}"\n'
    )

    assert rows(text) == [(1.0, 3.0, "Ann", f'said "{HI}"'), (4.0, 6.0, "Bob", LONG)]
    assert "3 (first:" in parsed(text).notices[0].message


def test_a_truncated_textgrid_is_refused_with_its_interval():
    text = '"ooTextFile"\n"TextGrid"\n0 9 <exists> 1\n"IntervalTier" "Ann" 0 9 2 0 1 "hello" 1 '

    with pytest.raises(TranscriptUnreadable, match="interval 2 of tier 1"):
        parsed(text)


def test_elan_leaves_out_tiers_that_depend_on_others():
    text = (
        '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/><TIME_ORDER>'
        '<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="1000"/>'
        '<TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="2500"/></TIME_ORDER><TIER TIER_ID="A" PARTICIPANT="Ann"><ANNOTATION>'
        f'<ALIGNABLE_ANNOTATION TIME_SLOT_REF1="a" TIME_SLOT_REF2="b"><ANNOTATION_VALUE>{HI}</ANNOTATION_VALUE>'
        '</ALIGNABLE_ANNOTATION></ANNOTATION></TIER><TIER TIER_ID="gloss" PARENT_REF="A"><ANNOTATION><REF_ANNOTATION>'
        "<ANNOTATION_VALUE>wie geht es</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
    )

    assert rows(text) == [(1.0, 2.5, "Ann", HI)]
    assert [notice.code for notice in parsed(text).notices] == ["transcript_tier_skipped"]


def test_chat_keeps_words_and_leaves_out_codes():
    text = (
        "@UTF8\n@Begin\n@Participants:\tINV Brian Investigator, PAR Participant\n"
        "*INV:\tand &-um how (.) are you ? \x15100_900\x15\n%mor:\tconj|and\n"
        "*PAR:\t<I was> [/] I was (be)cause &=laughs xxx tired@u [: very tired]\n\ttoday +... \x151000_2500\x15\n@End\n"
    )

    assert rows(text) == [
        (0.1, 0.9, "Investigator", "and um how are you?"),
        (1.0, 2.5, "Participant", "I was I was because tired today"),
    ]


def test_google_repeats_all_words_with_speakers_in_its_last_result():
    def word(text, start, tag=None):
        fields = {"word": text, "startTime": f"{start}s", "endTime": {"seconds": str(start), "nanos": 500000000}}
        return fields | ({"speakerTag": tag} if tag else {})

    first = {"alternatives": [{"transcript": "hello there", "words": [word("hello", 1), word("there", 2)]}]}
    last = {"alternatives": [{"words": [word("hello", 1, 1), word("there", 2, 2)]}]}

    assert rows({"results": [first, last]}) == [(1.0, 1.5, "Speaker 1", "hello"), (2.0, 2.5, "Speaker 2", "there")]


def test_aws_reads_audio_segments():
    segment = {
        "id": 0,
        "transcript": HI,
        "start_time": "1.0",
        "end_time": "2.5",
        "speaker_label": "spk_0",
        "items": [0],
    }

    assert rows({"results": {"transcripts": [], "items": [], "audio_segments": [segment]}}) == [(1.0, 2.5, "spk_0", HI)]


def test_deepgram_reads_words_of_several_channels():
    def channel(text, start):
        words = [{"word": text, "punctuated_word": text.title(), "start": start, "end": start + 1}]
        return {"alternatives": [{"transcript": text, "words": words}]}

    document = {"results": {"channels": [channel("hello", 1.0), channel("there", 3.0)]}}

    assert rows(document) == [(1.0, 2.0, "Channel 1", "Hello"), (3.0, 4.0, "Channel 2", "There")]


def test_azure_reads_fast_transcription_durations_and_the_sdk():
    fast = {
        "durationMilliseconds": 9,
        "combinedPhrases": [],
        "phrases": [{"offsetMilliseconds": 1000, "durationMilliseconds": 1500, "text": HI}],
    }
    batch = {"recognizedPhrases": [{"offset": "PT1S", "duration": "PT1.5S", "nBest": [{"display": HI}]}]}
    sdk = {"RecognitionStatus": "Success", "Offset": 10_000_000, "Duration": 15_000_000, "DisplayText": HI}

    for document, unit in ((fast, "milliseconds"), (batch, "iso_8601"), (sdk, "ticks")):
        assert rows(document) == [(1.0, 2.5, None, HI)]
        assert (parsed(document).format, parsed(document).time_unit) == ("azure_speech_json", unit)


def test_a_transcript_without_speakers_may_name_them_in_its_text():
    segments = [{"start": at, "end": at + 2, "text": f" {who}: {HI}"} for at, who in ((1, "A"), (4, "B"), (7, "A"))]

    assert [said.speaker for said in parsed({"segments": segments}).utterances] == ["A", "B", "A"]


def test_json_lines_and_clock_times_are_read():
    lines = "\n".join(json.dumps({"start": f"00:00:0{at}", "end": f"00:00:0{at + 1}", "text": HI}) for at in (1, 3))

    assert rows(lines) == [(1.0, 2.0, None, HI), (3.0, 4.0, None, HI)]
    assert parsed(lines).time_unit == "clock"


def test_tables_with_semicolons_read_decimal_commas():
    assert rows(f"start;end;speaker;text\n0,5;3,9;Ann;{HI}\n") == [(0.5, 3.9, "Ann", HI)]


def test_a_malformed_row_of_a_table_is_refused_with_its_line():
    with pytest.raises(TranscriptUnreadable, match="Line 3 of the table"):
        parsed(f"start_time\tstop_time\tspeaker\tvalue\n1\t2\tAnn\t{HI}\n3\n")
