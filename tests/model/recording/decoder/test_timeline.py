import av
import numpy as np
import pytest

from model.errors import AudioTimesInvalid
from tests.model.recording.sounds import Coding, codes, encode, int16_wav

RATE = 16_000


def with_gaps(path, gaps):
    """A WebM of a second of noise before, between and after gaps of so many seconds."""
    sound = np.random.default_rng(5).integers(-3000, 3000, size=(1, RATE)).astype(np.int16)
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=RATE, layout="mono")
        at = 0.0
        for gap in (*gaps, 0.0):
            frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, round(at * RATE)
            output.mux(stream.encode(frame))
            at += 1.0 + gap
        output.mux(stream.encode(None))
    return path.read_bytes()


def test_gaps_become_silence_and_are_told(tmp_path, decoded):
    audio = decoded(with_gaps(tmp_path / "x", [5.0, 0.5, 2.0]))

    assert audio.seconds == pytest.approx(4.0 + 7.5, abs=0.01)
    assert codes(audio) == ["audio_gaps_filled"]
    assert "2 gaps" in audio.notices[0].message
    assert "7.0 s of silence" in audio.notices[0].message
    assert np.abs(audio.read(int(1.1 * RATE), int(5.9 * RATE))).max() < 1e-3


def test_short_gaps_are_not_told(tmp_path, decoded):
    assert codes(decoded(with_gaps(tmp_path / "x", [0.4, 0.4]))) == []


def test_one_gap_too_long_is_refused_with_its_place(tmp_path, decoded):
    assert decoded(with_gaps(tmp_path / "x", [890.0]), 3600.0).seconds == pytest.approx(892.0, abs=0.1)
    with pytest.raises(AudioTimesInvalid, match=r"At second 1\.0 .* 910 s"):
        decoded(with_gaps(tmp_path / "x", [910.0]), 3600.0)


def test_many_gaps_are_refused_together(tmp_path, decoded):
    with pytest.raises(AudioTimesInvalid, match="2400 s up to second 1603"):
        decoded(with_gaps(tmp_path / "x", [800.0] * 3), 4 * 3600.0)


def test_a_chain_that_changes_codec_rate_and_channels_is_read_whole(tmp_path, decoded):
    tone = 0.2 * np.sin(np.arange(3 * RATE) * 0.2)
    links = (
        encode(tmp_path / "1", tone, RATE, Coding("ogg", "flac", 22_050)),
        encode(tmp_path / "2", np.stack([tone, tone]), RATE, Coding("ogg", "libopus", 48_000, layout="stereo")),
        encode(tmp_path / "3", tone, RATE, Coding("ogg", "libopus", 16_000)),
    )

    audio = decoded(b"".join(links))

    assert audio.seconds == pytest.approx(9.0, abs=0.1)
    for second in range(9):
        block = audio.read(int((second + 0.2) * RATE), int((second + 0.8) * RATE))
        assert np.sqrt(np.square(block).mean()) == pytest.approx(0.2 / np.sqrt(2), rel=0.15)


def test_decoding_and_reading_stop_when_the_check_raises(decoded, tmp_path):
    class Cancelled(Exception):
        pass

    calls = []

    def check():
        calls.append(1)
        if len(calls) == limit:
            raise Cancelled

    content, limit = int16_wav(np.zeros(20 * RATE)), 5
    with pytest.raises(Cancelled):
        decoded(content, check=check)
    assert not (tmp_path / "scratch.pcm").exists()

    limit = 0
    audio = decoded(content, check=check)
    limit = len(calls) + 3
    with pytest.raises(Cancelled):
        list(audio.blocks(RATE))
