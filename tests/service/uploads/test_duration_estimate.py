import io
import struct
import wave

import pytest

from service.uploads.duration_estimate import estimate_duration


def wav(seconds=2, rate=16_000, channels=1, width=2):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(b"\x00" * seconds * rate * channels * width)
    return file.getvalue()


@pytest.mark.parametrize(("rate", "channels", "width"), [(16_000, 1, 2), (44_100, 2, 2), (48_000, 1, 3)])
def test_wav_says_how_long_it_is(rate, channels, width):
    content = wav(2, rate, channels, width)
    assert estimate_duration(content[:4096], len(content)) == 2


def test_chunks_before_the_data_are_passed_over():
    content = wav()
    position = content.index(b"data")
    listed = content[:position] + b"LIST" + struct.pack("<I", 5) + b"INFOx\x00" + content[position:]
    assert estimate_duration(listed[:4096], len(listed)) == 2


@pytest.mark.parametrize("announced", [0, 0xFFFFFFFF, 10**9])
def test_a_wav_that_does_not_know_its_length_has_that_of_the_file(announced):
    content = bytearray(wav())
    struct.pack_into("<I", content, 40, announced)
    assert estimate_duration(bytes(content[:4096]), len(content)) == 2


def test_flac_says_how_long_it_is():
    packed = (44_100 << 44) | (1 << 41) | (15 << 36) | (44_100 * 90)
    head = b"fLaC\x00\x00\x00\x22" + b"\x00" * 10 + packed.to_bytes(8, "big")
    assert estimate_duration(head, 5_000_000) == 90


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        (b"OggS", 1_000),
        (b"\x1a\x45\xdf\xa3", 1_000),
        (b"fLaC", 6_000_000 * 8 / 350_000),
        (b"ID3\x04", 500),
        (b"\x00\x00\x00\x20ftypM4A ", 500),
        (b"RIFF\x00\x00\x00\x00WAVE", 187.5),
        (b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + b"\x00" * 16 + b"data\x10\x00\x00\x00", 187.5),
    ],
)
def test_the_rest_is_guessed_from_the_size(head, seconds):
    assert estimate_duration(head, 6_000_000) == pytest.approx(seconds)


def test_an_empty_file_has_no_seconds():
    assert estimate_duration(b"", 0) == 0


def test_what_a_flac_header_claims_is_bounded_by_the_size_of_the_file():
    claims_2_to_the_36_samples = bytes.fromhex(
        "664c6143000000220480048000043b00078d03e800ffffffffff86bcb9773459633c0c81c30c73d0d6fd"
    )
    assert len(claims_2_to_the_36_samples) == 42
    assert estimate_duration(claims_2_to_the_36_samples, 42) == pytest.approx(42 * 8 / 4_000)


def test_what_a_wav_header_claims_is_bounded_by_the_size_of_the_file():
    content = bytearray(wav())
    struct.pack_into("<I", content, 28, 1)  # one byte a second
    assert estimate_duration(bytes(content), len(content)) == pytest.approx(len(content) * 8 / 4_000)


def test_no_estimate_exceeds_a_day():
    assert estimate_duration(b"#!AMR\n", 10**9) == 86_400
