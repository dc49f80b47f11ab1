import pytest

from service.errors.request import AudioUnsupported, TranscriptEmpty, TranscriptNotUtf8
from service.uploads.audio_format import HEADER_BYTES, looks_like_audio, require_audio, require_transcript


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"FORM\x00\x00\x00\x00AIFF",
        b"FORM\x00\x00\x00\x00AIFC",
        b"caff\x00\x01\x00\x00",
        b"#!AMR\n\x3c",
        b"#!AMR-WB\n\x3c",
        b".snd\x00\x00\x00\x18",
        b"\x0b\x77\x5a\x5a\x00\x40\x43\x00",
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
        b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb",
        b"\x00" * 2048 + b"\xff\xf3\x38\xc4" + b"\x00" * 20,
        b"\x00" * 4096 + b"ID3\x04\x00\x00",
    ],
    ids=["wav", "aiff", "aifc", "caf", "amr", "amr-wb", "au", "ac3", "wma", "wave64", "padded mp3", "padded tags"],
)
def test_audio_is_known_by_its_first_bytes(head):
    assert len(head) < HEADER_BYTES
    assert looks_like_audio(head)


@pytest.mark.parametrize(
    "head", [b"", b"\x00" * HEADER_BYTES, b"\x00" * 100 + b"hello there, hello", b"FORM\0\0\0\0ILBM"]
)
def test_other_bytes_are_not_audio(head):
    assert not looks_like_audio(head)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"RIFF\x00\x00\x00\x00AVI LIST", "an AVI video"),
        (b"%PDF-1.7 ", "a PDF document"),
        (b"WEBVTT\n\n", "a WebVTT transcript"),
        (b"\x03ds2\x00", "a DS2 dictation"),
    ],
)
def test_a_refusal_names_what_was_sent_and_advises_something_else(head, name):
    with pytest.raises(AudioUnsupported, match=name) as refused:
        require_audio(head)

    assert "16-bit PCM WAV or FLAC" in refused.value.advice


@pytest.mark.parametrize(
    "content", [b"yes", b"\xef\xbb\xbfyes", "\ufeffyes".encode("utf-16-le"), "\ufeffja".encode("utf-16-be")]
)
def test_text_in_utf_8_and_in_marked_utf_16_is_a_transcript(content):
    require_transcript(content)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf\n", b"\xff\xfe", "\ufeff \n".encode("utf-16-le")])
def test_a_transcript_without_words_is_empty(content):
    with pytest.raises(TranscriptEmpty):
        require_transcript(content)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xff", "a Word document or another ZIP archive"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
        (b"\x00\x00\x00\x20ftypM4A \xff", "an audio or video file"),
        (b"M\xfcde", "not UTF-8 text"),
        ("yes".encode("utf-16-le") + b"\xd8\xff", "not UTF-8 text"),
        (b"\xff\xfea", "not UTF-8 text"),
    ],
)
def test_what_is_no_text_is_refused_by_its_name(content, name):
    with pytest.raises(TranscriptNotUtf8, match=name):
        require_transcript(content)
