import struct
import wave

import av
import numpy as np
import pytest

from model.config import AudioLimits
from model.errors import AudioTooLong, AudioTruncated, AudioUnreadable, RecordingError
from model.recording.audio import SAMPLE_RATE
from model.recording.decoding import decode
from tests.model.recording.sounds import float_wav

ACCEPTED = (
    "wav",
    "wav float stereo",
    "flac",
    "mp3",
    "ogg/opus",
    "m4a",
    "webm",
    "live webm",
    "mp3 without length",
    "aac",
)
DECLARES_ITS_LENGTH = ("wav", "flac", "mp3", "ogg/opus", "m4a", "webm")


@pytest.fixture
def encoded(tmp_path, spoken, write_audio):
    def run(name, seconds=12.0, **how):
        return write_audio(tmp_path / "encoded", spoken.upto(seconds), name, **how).read_bytes()

    return run


def late(first, second):
    """By how many seconds `second` runs behind `first`."""
    size = 1 << (first.size + second.size).bit_length()
    match = np.fft.irfft(np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size))
    lag = int(np.argmax(match))
    return (lag - size if lag > size // 2 else lag) / SAMPLE_RATE


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_accepted_format_decodes_to_the_same_sound_at_the_same_time(name, encoded, decoded):
    reference = decoded(encoded("wav"))
    expected = reference.read(0, reference.samples)

    audio = decoded(encoded(name))

    got = audio.read(0, audio.samples)
    assert audio.seconds == pytest.approx(12.0, abs=0.1)
    delay_not_written = name in {"mp3 without length", "aac"}
    assert abs(late(expected, got)) <= (0.06 if delay_not_written else 0.002)
    upmixed = 0.5 if "stereo" in name else 1.0  # libav spreads one channel over two at -3 dB each
    assert np.square(got).mean() == pytest.approx(upmixed * np.square(expected).mean(), rel=0.15)


def test_the_content_decides_and_not_the_name(tmp_path, spoken, write_audio):
    source = write_audio(tmp_path / "interview.wav", spoken.upto(5), "mp3")

    assert decode(source, tmp_path / "scratch", AudioLimits()).seconds == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("name", DECLARES_ITS_LENGTH)
def test_a_file_cut_off_is_truncated(name, encoded, decoded):
    whole = encoded(name)

    with pytest.raises(AudioTruncated) as refused:
        decoded(whole[: int(len(whole) * 0.6)])

    assert "send the whole file again" in refused.value.advice


def test_a_file_missing_its_last_bytes_only_is_accepted(encoded, decoded):
    assert decoded(encoded("wav")[:-100]).seconds == pytest.approx(12.0, abs=0.1)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_written_to_a_pipe_declares_no_length(size, decoded):
    content = bytearray(float_wav(np.zeros(32_000)))
    struct.pack_into("<I", content, 40, size)

    assert decoded(bytes(content)).seconds == pytest.approx(2.0)


def test_tags_that_claim_more_than_the_file_are_refused_unread(decoded):
    tags = struct.pack("<4sI4s4sI", b"LIST", 0x8F00_001A, b"INFO", b"ISFT", 0x3100_000E)
    whole = float_wav(np.zeros(16_000))

    with pytest.raises(AudioTruncated):
        decoded(whole[:36] + tags + whole[36:])
    with pytest.raises(AudioTruncated):
        decoded(whole + tags)


def test_an_rf64_wav_declares_its_length_apart(decoded):
    body = np.zeros(160_000, dtype="<i2").tobytes()
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 0, len(body), 0, 0)
    how = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + sizes + how + struct.pack("<4sI", b"data", 0xFFFFFFFF)

    assert decoded(head + body).seconds == pytest.approx(10.0)
    with pytest.raises(AudioTruncated):
        decoded((head + body)[:100_000])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5_000,
        b"Dear colleague, please find the recording attached. " * 200,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"RIFF\x24\x00\x00\x00WAVE",
        b"OggS\x00",
        np.random.default_rng(5).bytes(60_000),
    ],
    ids=["empty", "zeros", "letter", "playlist", "concat", "wav head", "ogg head", "noise"],
)
def test_what_is_not_audio_is_refused(content, decoded, tmp_path):
    with pytest.raises((AudioUnreadable, AudioTruncated)):
        decoded(content)

    assert not (tmp_path / "scratch.pcm").exists()


def test_a_container_outside_the_list_is_refused(encoded, decoded):
    with pytest.raises(AudioUnreadable):
        decoded(encoded("avi"))


def test_a_video_without_an_audio_track_is_refused(tmp_path, decoded):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))

    with pytest.raises(AudioUnreadable, match="no audio track"):
        decoded(path.read_bytes())


def test_a_wav_without_samples_is_refused(decoded):
    with pytest.raises(AudioUnreadable):
        decoded(float_wav([]))


@pytest.mark.parametrize("name", ["wav", "flac", "live webm"])
def test_decoding_stops_at_the_limit(name, encoded, decoded, tmp_path):
    with pytest.raises(AudioTooLong):
        decoded(encoded(name, seconds=20.0), seconds=5.0)

    assert not (tmp_path / "scratch.pcm").exists()


def test_decoded_bytes_are_limited_as_well_as_seconds(tmp_path, decoded):
    path = tmp_path / "wide.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(16)
        file.setsampwidth(4)
        file.setframerate(192_000)
        file.writeframes(bytes(16 * 4 * 192_000 * 2))

    with pytest.raises(AudioTooLong, match="bytes"):
        decoded(path.read_bytes(), seconds=4.0)


@pytest.mark.parametrize("rate", [100, 655_350])
def test_an_absurd_sample_rate_is_refused(rate, decoded):
    with pytest.raises(RecordingError):
        decoded(float_wav(np.zeros(40_000), rate=rate))


def write_channels(path, layout, codec):
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=48_000, layout=layout)
        frame = av.AudioFrame(format="s16", layout=layout, samples=48_000)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_sixteen_interleaved_channels_are_accepted(tmp_path, decoded):
    audio = decoded(write_channels(tmp_path / "array.mka", "hexadecagonal", "pcm_s16le"))

    assert audio.seconds == pytest.approx(1.0, abs=0.05)


def test_channels_that_hold_sound_weigh_the_same(tmp_path, decoded):
    path = tmp_path / "six.wav"
    tones = 0.2 * np.sin(np.arange(16_000)[:, None] * np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.0]))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(6)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((tones * 32_768).astype("<i2").tobytes())

    audio = decoded(path.read_bytes())

    assert np.abs(audio.read(0, 16_000) - tones.sum(axis=1) / 5).max() < 1e-3
    assert audio.source_samples == 5 * 16_000


def test_samples_that_are_no_numbers_become_silence_and_are_counted(decoded):
    levels = np.full(16_000, 0.25, dtype=np.float32)
    levels[100:500] = np.nan
    levels[600:700] = np.inf

    audio = decoded(float_wav(levels))

    assert audio.not_finite == 500
    assert audio.not_finite_share == pytest.approx(500 / 16_000)
    assert np.isfinite(audio.read(0, audio.samples)).all()
    assert audio.read(300, 301)[0] == 0


def test_samples_at_full_scale_are_counted(decoded):
    levels = np.zeros(16_000, dtype=np.float32)
    levels[:800], levels[800:1600] = 1.0, -1.0

    audio = decoded(float_wav(levels))

    assert audio.clipped == 1600
    assert audio.clipping == pytest.approx(0.1)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_integer_samples_of_every_width_have_the_same_level(width, tmp_path, decoded):
    path = tmp_path / "width.wav"
    half = {1: b"\xc0", 2: b"\x00\x40", 3: b"\x00\x00\x40", 4: b"\x00\x00\x00\x40"}[width]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8_000)
        file.writeframes(half * 8_000)

    assert decoded(path.read_bytes()).read(8000, 8001)[0] == pytest.approx(0.5, abs=1e-3)


def test_a_gap_between_timestamps_becomes_silence(encoded, decoded):
    audio = decoded(encoded("webm", skip=(4.0, 6.0)))

    assert audio.seconds == pytest.approx(12.0, abs=0.1)
    assert np.abs(audio.read(int(4.3 * SAMPLE_RATE), int(5.8 * SAMPLE_RATE))).max() < 1e-3
    whole = decoded(encoded("webm"))
    after = slice(7 * SAMPLE_RATE, 11 * SAMPLE_RATE)
    assert abs(late(whole.read(after.start, after.stop), audio.read(after.start, after.stop))) < 0.01


def test_chained_ogg_streams_play_one_after_the_other(encoded, decoded):
    audio = decoded(encoded("ogg/opus", seconds=5.0) + encoded("ogg/opus", seconds=4.0))

    assert audio.seconds == pytest.approx(9.0, abs=0.2)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg/opus", "m4a", "webm"])
def test_damaged_bytes_never_end_in_anything_but_a_refusal(name, encoded, decoded):
    whole = encoded(name, seconds=6.0)
    chance = np.random.default_rng(11)
    refused = 0
    for _ in range(12):
        damaged = bytearray(whole)
        for at in chance.integers(0, len(damaged), size=int(chance.choice([3, 40, 400]))):
            damaged[at] = chance.integers(0, 256)
        try:
            audio = decoded(bytes(damaged), seconds=60.0)
        except RecordingError:
            refused += 1
        else:
            assert 0 < audio.seconds <= 61.0
    assert refused <= 12


def test_blocks_are_the_audio_in_order(encoded, decoded):
    audio = decoded(encoded("wav", seconds=3.0))

    blocks = list(audio.blocks(10_000))

    assert [block.size for block in blocks[:-1]] == [10_000] * (len(blocks) - 1)
    assert np.array_equal(np.concatenate(blocks), audio.read(0, audio.samples))
    assert audio.read(audio.samples - 5, audio.samples + 100).size == 5
    assert audio.read(50, 10).size == 0
