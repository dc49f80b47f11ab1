import struct

import numpy as np
import pytest

from model.errors import AudioFormatUnsupported, AudioUnreadable, RecordingError
from tests.model.recording.sounds import Coding, codes, encode, int16_wav, voice

CODINGS = {
    ("wav", "adpcm_ms"): Coding("wav", "adpcm_ms", 22_050),
    ("wav", "adpcm_ima_wav"): Coding("wav", "adpcm_ima_wav", 8_000),
    ("wav", "g722"): Coding("wav", "g722", 16_000),
    ("wav", "g726"): Coding("wav", "g726", 8_000, 32_000),
    ("wav", "pcm_alaw"): Coding("wav", "pcm_alaw", 8_000),
    ("wav", "pcm_mulaw"): Coding("wav", "pcm_mulaw", 8_000),
    ("wav", "mp3"): Coding("wav", "libmp3lame", 16_000),
    ("aiff", "pcm_s24be"): Coding("aiff", "pcm_s24be", 48_000),
    ("aiff", "pcm_f32be"): Coding("aiff", "pcm_f32be", 44_100),
    ("caf", "alac"): Coding("caf", "alac", 44_100),
    ("caf", "adpcm_ima_qt"): Coding("caf", "adpcm_ima_qt", 44_100),
    ("au", "pcm_mulaw"): Coding("au", "pcm_mulaw", 8_000),
    ("w64", "pcm_s16le"): Coding("w64", "pcm_s16le", 16_000),
    ("asf", "wmav1"): Coding("asf", "wmav1", 44_100, 64_000),
    ("asf", "wmav2"): Coding("asf", "wmav2", 44_100, 64_000),
    ("ac3", "ac3"): Coding("ac3", "ac3", 48_000),
    ("eac3", "eac3"): Coding("eac3", "eac3", 48_000),
    ("amr", "amr_nb"): Coding("amr", "libopencore_amrnb", 8_000),
    ("mp4", "amr_nb"): Coding("3gp", "libopencore_amrnb", 8_000),
    ("mp3", "mp2"): Coding("mp2", "mp2", 16_000),
    ("matroska", "eac3"): Coding("matroska", "eac3", 48_000),
    ("ogg", "flac"): Coding("ogg", "flac", 16_000),
    ("webm", "opus"): Coding("webm", "libopus", 48_000),
}
SECONDS = 5.0


@pytest.mark.parametrize(("name", "coding"), CODINGS.items(), ids=["/".join(name) for name in CODINGS])
def test_containers_and_codecs_are_read_and_named(name, coding, tmp_path, spoken, decoded):
    speech = voice(spoken, SECONDS)
    audio = decoded(encode(tmp_path / "x", speech, 22_050, coding))

    assert (audio.source.container, audio.source.codec) == name
    assert audio.source.sample_rate == coding.rate
    assert audio.seconds == pytest.approx(SECONDS, abs=0.15)
    loudness = np.sqrt(np.square(audio.read(0, audio.samples)).mean())
    assert loudness == pytest.approx(np.sqrt(np.square(speech).mean()), rel=0.2)
    assert codes(audio) == []


@pytest.mark.parametrize(("name", "coding"), CODINGS.items(), ids=["/".join(name) for name in CODINGS])
def test_damage_ends_in_sound_or_in_a_refusal(name, coding, tmp_path, spoken, decoded):
    whole = encode(tmp_path / "x", voice(spoken, 2.0), 22_050, coding)
    chance = np.random.default_rng(11)
    for _ in range(6):
        damaged = bytearray(whole)
        for at in chance.integers(0, len(damaged), size=int(chance.choice([3, 40, 400]))):
            damaged[at] = chance.integers(0, 256)
        try:
            seconds = decoded(bytes(damaged), 60.0).seconds
        except RecordingError:
            continue
        assert 0 < seconds <= 61.0


def test_amr_wideband_of_any_bits_is_read(decoded):
    """Every frame of 23.85 kbit/s (type 8, 60 bytes, 20 ms) decodes to something."""
    chance = np.random.default_rng(3)
    frames = b"".join(bytes([8 << 3 | 4]) + chance.bytes(60) for _ in range(100))

    audio = decoded(b"#!AMR-WB\n" + frames)

    assert (audio.source.codec, audio.source.sample_rate) == ("amr_wb", 16_000)
    assert audio.seconds == pytest.approx(2.0)


def test_a_codec_that_is_not_read_is_named(decoded):
    content = bytearray(int16_wav(np.zeros(16_000)))
    struct.pack_into("<H", content, 20, 0x0022)  # DSP Group TrueSpeech
    with pytest.raises(AudioFormatUnsupported, match="wav file holds audio in the codec truespeech") as refused:
        decoded(bytes(content))

    assert "16-bit PCM WAV or FLAC" in refused.value.advice


def test_a_codec_that_nobody_knows_is_named_by_its_tag(decoded):
    content = bytearray(int16_wav(np.zeros(16_000)))
    struct.pack_into("<H", content, 20, 0x7A21)
    with pytest.raises(AudioFormatUnsupported, match="0x7A21"):
        decoded(bytes(content))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(200), "AVI"),
        (b"%PDF-1.7\n" + bytes(200), "PDF"),
        (b"\x03ds2" + bytes(600), "DS2"),
        ((b"\x47" + bytes(187)) * 20, "MPEG transport stream"),
        (b"[Script Info]\nTitle: not sound\n" * 20, "does not begin like any audio format"),
    ],
    ids=["avi", "pdf", "ds2", "mpeg-ts", "text"],
)
def test_a_container_that_is_not_read_is_named(content, name, decoded):
    with pytest.raises(AudioFormatUnsupported, match=name) as refused:
        decoded(content)

    assert refused.value.code == "audio_unsupported"


def test_a_damaged_file_is_not_advised_to_be_what_it_is(decoded):
    with pytest.raises(AudioUnreadable, match="begins like FLAC") as refused:
        decoded(b"fLaC" + bytes(300))

    assert "FLAC" not in refused.value.advice
