import numpy as np
import pytest

from model.config import QualitySettings, SegmentSettings
from model.recording.recording import Recording
from model.segments.cutting import segment
from model.segments.level import WINDOW
from model.segments.sound import bandwidth_of, measure_sound
from model.segments.voice_activity import VoiceActivity, detect_voice, speech_ranges

SECOND = 16_000


def activity(power, peak=0.5):
    return VoiceActivity(
        samples=len(power) * WINDOW,
        probability=np.zeros(len(power), dtype=np.float32),
        power=np.array(power, dtype=np.float32),
        mean=np.zeros(len(power)),
        peak=peak,
        spectrum=np.ones(257),
        pauses=np.zeros(257),
    )


def sound_of(power, speech, gain=1.0, peak=0.5):
    return measure_sound(activity(power, peak), [(0, speech * WINDOW)], [(0, speech * WINDOW)], gain)


def test_the_noise_is_subtracted_from_the_speech():
    # Speech and noise of equal power: 0 dB, not the 3 dB of their sum over the noise.
    measured = sound_of([0.002] * 40 + [0.001] * 40, 40)
    assert measured.snr == pytest.approx(0.0, abs=0.05)
    assert measured.noise == pytest.approx(-30, abs=0.01)
    assert measured.level == pytest.approx(-26.99, abs=0.05)
    assert measured.peak == pytest.approx(-6.02, abs=0.01)


def test_a_cough_in_the_pauses_is_no_noise():
    assert sound_of([0.1] * 40 + [0.001] * 40 + [0.1] * 3, 40).noise == pytest.approx(-30, abs=0.01)


def test_without_pauses_or_speech_there_is_no_ratio():
    assert sound_of([0.1] * 50, 40).snr is None
    assert sound_of([0.1] * 50, 0).level is None
    assert sound_of([0.001] * 80, 40).snr is None  # the speech is no louder than its pauses: nothing is left of it


def test_levels_are_those_of_the_file_as_sent():
    measured = sound_of([0.1] * 40 + [0.001] * 40, 40, gain=0.5)
    assert measured.noise == pytest.approx(-30 + 6.02, abs=0.01)
    assert measured.peak == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("kind", ["white", "pink"])
@pytest.mark.parametrize("decibels", [20, 10, 5, 0])
def test_the_ratio_of_noise_that_was_added_is_found(audio_of, spoken_audio, kind, decibels):
    speech = spoken_audio.read(0, 40 * SECOND)
    clean = detect_voice(audio_of(speech), SegmentSettings())
    ranges = speech_ranges(clean, SegmentSettings())
    reference = measure_sound(clean, ranges, ranges, 1.0).level
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(speech.size))
    if kind == "pink":
        spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(speech.size, 1 / SECOND), 20.0))
    noise = np.fft.irfft(spectrum, n=speech.size)
    noise *= 10 ** ((reference - decibels) / 20) / noise.std()
    recording = Recording(audio=audio_of(0.5 * (speech + noise)), transcript=None)
    quality = segment(recording, SegmentSettings(), QualitySettings()).quality
    assert quality.snr_db == pytest.approx(decibels, abs=1.5)


def test_the_bandwidth_ends_where_the_speech_does():
    spectrum = np.zeros(257)
    spectrum[5:110] = 1.0
    silent, floor = np.zeros(257), np.full(257, 1e-3)
    assert bandwidth_of(spectrum, silent) == pytest.approx(110 * 8000 / 256, abs=200)
    assert bandwidth_of(spectrum + floor, floor) == pytest.approx(110 * 8000 / 256, abs=200)
    assert bandwidth_of(np.ones(257), silent) == 8000
    assert bandwidth_of(silent, silent) is None


def quality_of(audio):
    return segment(Recording(audio=audio, transcript=None), SegmentSettings(), QualitySettings()).quality


def test_a_telephone_line_is_found(audio_of, spoken_audio):
    speech = spoken_audio.read(0, 40 * SECOND)
    spectrum = np.fft.rfft(speech)
    spectrum[np.fft.rfftfreq(speech.size, 1 / SECOND) > 3400] = 0
    found = quality_of(audio_of(np.fft.irfft(spectrum, n=speech.size)))
    assert found.bandwidth_hz == pytest.approx(3400, abs=500)
    assert "narrow_bandwidth" in {flag.code for flag in found.flags}
    assert "narrow_bandwidth" not in {flag.code for flag in quality_of(spoken_audio).flags}


def test_a_quiet_voice_is_flagged(audio_of, spoken_audio):
    speech = spoken_audio.read(0, 40 * SECOND)
    level = quality_of(audio_of(speech)).level_dbfs
    quiet = quality_of(audio_of(speech * 10 ** ((-48 - level) / 20)))
    assert quiet.level_dbfs == pytest.approx(-48, abs=0.2)
    assert "low_level" in {flag.code for flag in quiet.flags}
    assert "low_level" not in {flag.code for flag in quality_of(spoken_audio).flags}
