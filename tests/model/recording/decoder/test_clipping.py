"""The share of clipped samples, against the true share of files that were clipped here."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.model.recording.sounds import Coding, encode, float_wav, int16_wav, voice

EXAMPLE = Path(__file__).parents[4] / "examples" / "interview.flac"
CODECS = {
    "mp3 64": Coding("mp3", "libmp3lame", 44_100, 64_000),
    "mp3 128": Coding("mp3", "libmp3lame", 44_100, 128_000),
    "aac 48 at 16 kHz": Coding("adts", "aac", 16_000, 48_000),
    "aac 96": Coding("adts", "aac", 48_000, 96_000),
    "opus 24": Coding("ogg", "libopus", 48_000, 24_000),
    "opus 64": Coding("ogg", "libopus", 48_000, 64_000),
    "g711": Coding("wav", "pcm_alaw", 8_000),
}
RATE = 22_050


@pytest.fixture(scope="module")
def voices(spoken):
    """Levels in [-1, 1] at 22 050 Hz: a single voice, and the voices of the example interview."""
    with av.open(str(EXAMPLE)) as file:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    example = np.concatenate([frame.to_ndarray()[0] for frame in frames])[: 30 * RATE]
    return {"single": voice(spoken, 30.0), "example": example}


def clipped(levels, share):
    """The levels with this share of the samples at full scale."""
    return np.clip(levels / np.quantile(np.abs(levels), 1 - share), -1, 1)


@pytest.mark.parametrize("gain", [1.0, 0.708, 0.05], ids=["full scale", "-3 dB", "-26 dB"])
@pytest.mark.parametrize("share", [0.15, 0.05])
@pytest.mark.parametrize("name", ["single", "example"])
def test_clipping_is_found_at_any_level(name, share, gain, voices, decoded):
    audio = decoded(int16_wav(gain * clipped(voices[name], share), RATE))

    assert audio.clipping == pytest.approx(share, rel=0.1)


# bench/clipping.py measures every pair.
@pytest.mark.parametrize(("name", "gain"), [("single", 0.708), ("example", 1.0)], ids=["-3 dB", "full scale"])
@pytest.mark.parametrize("codec", CODECS)
def test_clipping_is_found_through_codecs(name, codec, gain, voices, tmp_path, decoded):
    audio = decoded(encode(tmp_path / "x", gain * clipped(voices[name], 0.15), RATE, CODECS[codec]))

    assert audio.clipping == pytest.approx(0.15, rel=0.25)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", ["single", "example"])
def test_clean_speech_is_not_clipped(name, codec, voices, tmp_path, decoded):
    assert decoded(encode(tmp_path / "x", voices[name], RATE, CODECS[codec])).clipping < 0.001


def test_clipping_of_one_half_only_is_counted_with_the_other(voices, decoded):
    """A minute each: first clipped and softer, then clean and louder."""
    minute = np.tile(voices["single"], 2)
    both = np.concatenate([0.2 * clipped(minute, 0.10), minute / np.abs(minute).max()])

    assert decoded(int16_wav(both, RATE)).clipping == pytest.approx(0.05, rel=0.15)


def test_one_side_clipped_by_an_offset_is_found(voices, decoded):
    levels = voices["single"] / np.quantile(np.abs(voices["single"]), 0.9)
    shifted = np.minimum(0.5 * levels + 0.6, 1.0)
    true_share = float((shifted >= 1.0).mean())

    assert true_share > 0.03
    assert decoded(float_wav(0.5 * shifted, RATE)).clipping == pytest.approx(true_share, rel=0.25)


@pytest.mark.parametrize(
    "levels",
    [
        np.random.default_rng(1).normal(scale=0.1, size=20 * RATE),
        np.random.default_rng(2).uniform(-0.9, 0.9, size=20 * RATE),
        0.8 * np.sin(np.arange(20 * RATE) * 0.1),
        np.zeros(20 * RATE),
        np.full(20 * RATE, 0.3),
        np.random.default_rng(3).integers(-1, 2, size=20 * RATE) / 32_768,
    ],
    ids=["gaussian noise", "uniform noise", "a tone", "silence", "an offset alone", "dither"],
)
def test_sound_without_flat_tops_is_not_clipped(levels, decoded):
    assert decoded(int16_wav(levels, RATE)).clipping < 0.001


def test_speech_on_an_offset_is_not_clipped(voices, decoded):
    assert decoded(int16_wav(0.5 * voices["single"] + 0.2, RATE)).clipping < 0.001
