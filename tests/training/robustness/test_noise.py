import numpy as np
import pytest

from training.robustness.noise import active_power, add_noise, babble_noise, pink_noise, white_noise

SECOND = 16_000


def tone(seconds, amplitude=0.5, hertz=200):
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(seconds * SECOND) / SECOND)).astype(np.float32)


def test_pauses_do_not_count_as_speech():
    speech = np.concatenate([tone(2), np.zeros(6 * SECOND, dtype=np.float32)])
    # The power of a sine of amplitude 0.5; the 0.2 s of hangover count.
    assert active_power(speech) == pytest.approx(0.125 * 2 / 2.2, rel=0.02)
    assert active_power(np.zeros(SECOND, dtype=np.float32)) > 0


@pytest.mark.parametrize("decibels", [20, 10, 5])
@pytest.mark.parametrize("noise", [white_noise, pink_noise])
def test_the_noise_has_the_given_ratio_to_the_speech(noise, decibels):
    speech = tone(4)
    mixed = add_noise(speech, noise(len(speech), np.random.default_rng(0)), decibels)
    ratio = 10 * np.log10(0.125 / np.mean(np.square(mixed - speech, dtype=np.float64)))
    assert ratio == pytest.approx(decibels, abs=0.1)


def test_pink_noise_loses_three_decibels_an_octave():
    power = np.square(np.abs(np.fft.rfft(pink_noise(40 * SECOND, np.random.default_rng(0)))))
    octaves = [10 * np.log10(power[40 * low : 40 * 2 * low].mean()) for low in (100, 200, 400, 800, 1600)]
    assert np.diff(octaves) == pytest.approx(np.full(4, -3.01), abs=0.2)


def test_every_voice_of_a_babble_is_equally_loud():
    voices = [tone(3, 0.01), tone(2, 0.9, hertz=300), white_noise(SECOND, np.random.default_rng(1))]
    babble = babble_noise(10 * SECOND, voices, np.random.default_rng(0))
    assert len(babble) == 10 * SECOND
    assert babble.std() == pytest.approx(1, abs=1e-3)
    power = np.square(np.abs(np.fft.rfft(babble)), dtype=np.float64)
    shares = [power[10 * hertz - 10 : 10 * hertz + 11].sum() / power.sum() for hertz in (200, 300)]
    assert shares == pytest.approx([1 / 3, 1 / 3], abs=0.03)
