"""No text makes a parser fail in another way than by refusing it."""

import contextlib
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import AudioLimits
from model.errors import TranscriptTooLong, TranscriptUnreadable
from model.recording.transcript import parse_transcript
from tests.model.recording.test_formats import INTERVIEW
from tests.model.recording.written import WRITTEN

PIECES = st.sampled_from(
    [
        *"<>[]{}()\"'&;:,.-|\t\n \\/=*%@_0123456789aZ\u4e2d\u0e40\u0301\x15\u2028\u00a0",
        "-->",
        "\n\n",
        "00:00:01.000",
        "00:00:01,5 --> 00:00:02",
        "<v ",
        "</v>",
        "&#x1F600;",
        "&#99999999;",
        "null",
        "NaN",
        "1e999",
        "-1",
        '"start": ',
        '"text": ',
        '""',
        "Speaker 1:",
        "\x151_2\x15",
        "[00:01.00]",
        "<p begin='1s'>",
        "PT1S",
        "9" * 400,
    ]
)
NOISE = st.lists(PIECES, max_size=12).map("".join)
FIELDS = (
    "utterances segments results channels alternatives words items speaker_labels start end text speaker "
    "timestamp chunks transcription offsets from to recognizedPhrases nBest display offset offsetInTicks "
    "phrases combinedPhrases status id start_time end_time type content transcript Offset Duration "
    "audio_segments paragraphs sentences startTime seconds nanos word channel "
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "a b", "1.5s", "PT1S", "00:01", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=5),
    max_leaves=25,
)


def read_or_refuse(content):
    with contextlib.suppress(TranscriptUnreadable, TranscriptTooLong):
        transcript = parse_transcript(content, AudioLimits())
        assert transcript.utterances
        for said in transcript.utterances:
            assert said.text
            assert (said.start is None) == (said.end is None) == (not transcript.timed)
            assert said.start is None or 0 <= said.start <= said.end <= AudioLimits().seconds


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0, 1), kept=st.floats(0, 1), noise=NOISE)
def test_a_transcript_with_noise_inside_is_read_or_refused(name, cut, kept, noise):
    text = WRITTEN[name].write(INTERVIEW[:4])
    at = int(cut * len(text))

    read_or_refuse((text[:at] + noise + text[at + int(kept * (len(text) - at)) :]).encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None)
@given(document=JSON)
def test_any_json_is_read_or_refused(document):
    read_or_refuse(json.dumps(document).encode())


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200) | NOISE.map(str.encode))
def test_any_bytes_are_read_or_refused(content):
    read_or_refuse(content)


@pytest.mark.parametrize("number", ["9" * 5000, "\u00b2", "1e999", "nan"], ids=["long", "raised", "infinite", "nan"])
@pytest.mark.parametrize("name", WRITTEN)
def test_no_number_that_is_none_makes_a_parser_fail(name, number):
    written = WRITTEN[name].write(INTERVIEW[:4])
    for found in re.finditer(r"\d+", written):
        with contextlib.suppress(TranscriptUnreadable, TranscriptTooLong):
            parse_transcript((written[: found.start()] + number + written[found.end() :]).encode(), AudioLimits())
