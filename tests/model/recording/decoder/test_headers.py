import struct

import numpy as np
import pytest

from model.errors import AudioFormatUnsupported, AudioTruncated, AudioUnreadable
from tests.model.recording.sounds import Coding, codes, encode, int16_wav

RAMP = np.linspace(-0.5, 0.5, 32_000)


def padded_wav(samples, *, extensible, bits=24):
    """A mono WAV at 16 kHz of four bytes a sample; `samples` are the int32 as they stand in the file."""
    body = np.asarray(samples, dtype="<i4").tobytes()
    how = struct.pack("<HHIIHH", 0xFFFE if extensible else 1, 1, 16_000, 64_000, 4, 32 if extensible else bits)
    if extensible:
        how += struct.pack("<HHI", 22, bits, 4) + struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = struct.pack("<4sI", b"fmt ", len(how)) + how + struct.pack("<4sI", b"data", len(body)) + body
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


@pytest.mark.parametrize("extensible", [True, False])
@pytest.mark.parametrize(("shift", "name"), [(8, "top"), (0, "bottom")])
def test_24_bits_at_either_end_of_32_have_their_level(extensible, shift, name, decoded):
    samples = np.round(RAMP * (1 << 23)).astype(np.int64) << shift

    audio = decoded(padded_wav(samples, extensible=extensible))

    assert audio.seconds == 2.0
    assert audio.source.bits == 24
    assert np.abs(audio.read(200, 31_800) - RAMP[200:31_800]).max() < 1e-3


@pytest.mark.parametrize("declared", [2, 4_000, 63_000])
def test_data_behind_the_declared_size_is_read(declared, decoded):
    audio = decoded(int16_wav(RAMP, size=declared))

    assert audio.seconds == 2.0
    assert codes(audio) == ["audio_header_corrected"]


@pytest.mark.parametrize(
    "rest",
    [
        struct.pack("<4sI", b"LIST", 4) + b"INFO",
        struct.pack("<4sI", b"id3 ", 3) + b"ID3\x00" + struct.pack("<4sI", b"cue ", 4) + bytes(4),
        bytes(3_000),
        b"\r\n",
    ],
    ids=["tags", "two chunks", "zeros", "two bytes"],
)
def test_what_is_no_sound_behind_the_data_is_left_out(rest, decoded):
    audio = decoded(int16_wav(RAMP) + rest)

    assert audio.seconds == 2.0
    assert codes(audio) == []


def test_a_stale_rf64_header_is_read_to_the_end(decoded):
    body = np.round(RAMP * 32_767).astype("<i2").tobytes()
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 0, 4_000, 0, 0)
    how = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + sizes + how + struct.pack("<4sI", b"data", 0xFFFFFFFF)

    audio = decoded(head + body)

    assert audio.seconds == 2.0
    assert codes(audio) == ["audio_header_corrected"]


def test_wav_files_one_after_the_other_are_refused(decoded):
    with pytest.raises(AudioFormatUnsupported, match="several WAV files"):
        decoded(int16_wav(RAMP) * 2)


@pytest.mark.parametrize(
    ("container", "name", "form"),
    [("aiff", b"SSND", ">I"), ("caf", b"data", ">q"), ("w64", b"data", "<Q")],
)
def test_other_stale_headers_are_read_to_the_end_and_cut_files_refused(container, name, form, tmp_path, decoded):
    codec = "pcm_s16le" if container == "w64" else "pcm_s16be"
    content = bytearray(encode(tmp_path / "x", np.tile(RAMP, 2), 16_000, Coding(container, codec, 16_000)))
    assert codes(decoded(bytes(content))) == []

    with pytest.raises(AudioTruncated):
        decoded(bytes(content[:64_000]))

    struct.pack_into(form, content, content.index(name) + (16 if container == "w64" else 4), 4_000)
    audio = decoded(bytes(content))
    assert audio.seconds == pytest.approx(4.0, abs=0.01)
    assert codes(audio) == ["audio_header_corrected"]


def test_a_size_beyond_what_can_be_sought_is_no_error_of_the_service(tmp_path, decoded):
    content = bytearray(encode(tmp_path / "x", RAMP, 16_000, Coding("caf", "pcm_s16be", 16_000)))
    struct.pack_into(">q", content, content.index(b"data") + 4, (1 << 63) - 1)

    with pytest.raises(AudioUnreadable):
        decoded(bytes(content))
