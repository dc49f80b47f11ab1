import numpy as np
import pytest

from model.segments.level import Levelling, active_level, levelling_to

SECOND = 16_000


def powers(samples):
    """Variance of each window of 512 samples."""
    return samples[: len(samples) // 512 * 512].reshape(-1, 512).var(axis=1).astype(np.float32)


def tone(seconds, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * 200 * np.arange(seconds * SECOND) / SECOND)).astype(np.float32)


def silence(seconds):
    return np.zeros(seconds * SECOND, dtype=np.float32)


def test_the_level_of_a_sine_is_its_power():
    assert active_level(powers(tone(10))) == pytest.approx(-9.03, abs=0.05)


def test_pauses_and_a_dc_offset_do_not_count():
    # 40 s of silence; the hangover of 200 ms is a fiftieth of the tone.
    assert active_level(powers(np.concatenate([tone(10), silence(40)]))) == pytest.approx(-9.03, abs=0.15)
    assert active_level(powers(tone(10) + np.float32(0.3))) == pytest.approx(-9.03, abs=0.05)


def test_short_pauses_belong_to_speech():
    # 100 ms of tone and 100 ms of pause: half the power, because the hangover bridges the pauses.
    part = np.concatenate([tone(1)[: SECOND // 10], silence(1)[: SECOND // 10]])
    assert active_level(powers(np.tile(part, 50))) == pytest.approx(-12.04, abs=0.2)


def test_noise_in_the_pauses_is_not_speech():
    noise = 1e-3 * np.random.default_rng(0).standard_normal(50 * SECOND).astype(np.float32)
    noisy = np.concatenate([tone(10), silence(40)]) + noise
    assert active_level(powers(noisy)) == pytest.approx(-9.03, abs=0.15)


@pytest.mark.parametrize("decibels", [6, -6, -30, -50])
def test_the_level_follows_the_gain(decibels):
    speech = np.concatenate([tone(2), silence(3), tone(1, 0.1)])
    loud = active_level(powers(speech))
    assert active_level(powers(speech * np.float32(10 ** (decibels / 20)))) == pytest.approx(loud + decibels, abs=0.02)


def test_silence_has_no_level_and_gets_no_gain():
    assert active_level(powers(silence(5))) is None
    assert active_level(np.zeros(0, dtype=np.float32)) is None
    assert levelling_to(-26.0, None, 0.1) == Levelling(gain=1.0, offset=0.1)


def test_a_hardly_audible_recording_is_amplified_by_fifty_decibels_at_most():
    assert levelling_to(-26.0, -36.0, 0.0).gain == pytest.approx(10**0.5)
    assert levelling_to(-26.0, -110.0, 0.0).gain == pytest.approx(10**2.5)


def test_what_exceeds_full_scale_after_the_gain_is_clipped():
    levelled = Levelling(gain=4.0, offset=0.1).apply(np.array([0.1, 0.2, 0.9, -0.9], dtype=np.float32))
    assert levelled == pytest.approx([0, 0.4, 1, -1], abs=1e-6)
