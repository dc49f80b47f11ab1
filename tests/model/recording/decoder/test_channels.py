import numpy as np
import pytest

from model.errors import AudioChannelMissing
from tests.model.recording.sounds import Coding, codes, encode, float_wav, int16_wav, voice


@pytest.fixture(scope="module")
def speech(spoken):
    return voice(spoken, 10.0) * 0.5


@pytest.fixture(scope="module")
def answer(spoken):
    return voice(spoken, 25.0)[-220_500:] * 0.5


def pcm(audio):
    return audio.read(0, audio.samples)


@pytest.mark.parametrize("channel", [0, 5])
def test_mono_in_one_of_eight_channels_is_the_same_as_mono(channel, speech, decoded):
    levels = np.zeros((8, speech.size))
    levels[channel] = speech
    mono = pcm(decoded(int16_wav(speech, 22_050)))

    audio = decoded(int16_wav(levels, 22_050))

    assert np.abs(pcm(audio) - mono).max() < 1e-4
    assert audio.source.channels_used == (channel + 1,)
    assert codes(audio) == ["silent_channels"]


def test_open_inputs_with_noise_are_left_out_too(speech, decoded):
    levels = np.random.default_rng(7).normal(scale=2e-4, size=(4, speech.size))
    levels[2] += speech

    assert decoded(int16_wav(levels, 22_050)).source.channels_used == (3,)


def test_two_speakers_on_two_channels_are_both_heard(speech, answer, decoded):
    audio = decoded(int16_wav(np.stack([speech, 0.2 * answer]), 22_050))

    assert audio.source.channels_used == (1, 2)
    assert codes(audio) == []
    both = pcm(decoded(int16_wav((speech + 0.2 * answer) / 2, 22_050)))
    assert np.abs(pcm(audio) - both).max() < 1e-3


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_antiphase_in_part_of_the_recording_is_found(share, speech, decoded):
    other = speech.copy()
    other[: int(share * speech.size)] *= -0.9

    audio = decoded(int16_wav(np.stack([speech, other]), 22_050))

    assert codes(audio) == ["antiphase_channels"]
    assert audio.source.channels_used == (1,)
    assert np.abs(pcm(audio) - pcm(decoded(int16_wav(speech, 22_050)))).max() < 1e-4


def test_antiphase_under_an_offset_of_both_channels_is_found(speech, decoded):
    assert codes(decoded(int16_wav(np.stack([speech, -speech]) + 0.2, 22_050))) == ["antiphase_channels"]


def test_equal_channels_are_averaged(speech, decoded):
    audio = decoded(int16_wav(np.stack([speech, speech]), 22_050))

    assert audio.source.channels_used == (1, 2)
    assert codes(audio) == []


@pytest.mark.parametrize("channel", [1, 2])
def test_the_channel_of_the_participant_is_used_alone(channel, speech, answer, decoded):
    audio = decoded(int16_wav(np.stack([speech, answer]), 22_050), participant_channel=channel)

    alone = pcm(decoded(int16_wav((speech, answer)[channel - 1], 22_050)))
    assert np.abs(pcm(audio) - alone).max() < 1e-4
    assert audio.source.channels_used == (channel,)


@pytest.mark.parametrize(
    ("channels", "asked", "count"), [(1, 2, "1 channel."), (2, 3, "2 channels."), (2, 0, "2 chan")]
)
def test_a_channel_that_does_not_exist_is_refused_with_how_many_there_are(channels, asked, count, speech, decoded):
    with pytest.raises(AudioChannelMissing, match=count) as refused:
        decoded(int16_wav(np.stack([speech] * channels), 22_050), participant_channel=asked)

    assert refused.value.code == "audio_channel_missing"


def test_eight_planes_of_samples_are_read(tmp_path, speech, decoded):
    levels = np.zeros((8, speech.size))
    levels[2] = speech  # the centre: libav's AAC encoder keeps the order of 7.1
    content = encode(tmp_path / "x.mka", levels, 22_050, Coding("matroska", "aac", 48_000, layout="7.1"))

    audio = decoded(content)

    assert audio.source.channels == 8
    assert len(audio.source.channels_used) == 1
    assert np.sqrt(np.square(pcm(audio)).mean()) == pytest.approx(np.sqrt(np.square(speech).mean()), rel=0.1)


def test_floats_above_full_scale_are_lowered_and_not_clipped(speech, decoded):
    loud = decoded(float_wav(8 * speech, 22_050))

    normal = pcm(decoded(float_wav(speech, 22_050)))
    assert loud.gain == pytest.approx(0.9 / np.abs(8 * speech).max(), rel=1e-4)
    assert np.abs(pcm(loud) / (8 * loud.gain) - normal).max() < 2e-4
    assert loud.clipping < 1e-4
