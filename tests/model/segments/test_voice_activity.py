import numpy as np
import pytest

from model.config import SegmentSettings
from model.recording.audio import SAMPLE_RATE
from model.segments.level import UNCHANGED, WINDOW, active_level
from model.segments.voice_activity import (
    VoiceActivity,
    detect_voice,
    level_speech,
    quietest_sample,
    speech_ranges,
    windows_inside,
)


def activity(probability, power=None):
    probability = np.asarray(probability, dtype=np.float32)
    level = np.full(probability.size, 0.01) if power is None else power
    return VoiceActivity(
        samples=probability.size * WINDOW,
        probability=probability,
        power=np.asarray(level, dtype=np.float32),
        mean=np.zeros(probability.size),
        peak=0.5,
        spectrum=np.ones(257),
        pauses=np.zeros(257),
    )


def windows(found):
    return [(start / WINDOW, stop / WINDOW) for start, stop in found]


def test_speech_is_detected_where_it_was_spoken(spoken, spoken_audio):
    found = speech_ranges(detect_voice(spoken_audio, SegmentSettings()), SegmentSettings())

    heard = np.zeros(spoken_audio.samples // 160 + 1, dtype=bool)
    for start, stop in found:
        heard[start // 160 : stop // 160] = True
    said = np.zeros_like(heard)
    for start, end, _ in spoken.said:
        said[int(start * 100) : int(end * 100)] = True
    assert heard[said].mean() > 0.9  # espeak ends a sentence with a breath of silence
    assert heard[~said].mean() < 0.3


def test_listening_twice_hears_the_same(spoken_audio):
    first, second = detect_voice(spoken_audio, SegmentSettings()), detect_voice(spoken_audio, SegmentSettings())

    assert np.array_equal(first.probability, second.probability)
    assert first.probability.size == -(-spoken_audio.samples // WINDOW)


def test_noise_and_silence_are_no_speech(audio_of):
    noise = np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE) * 0.05

    assert speech_ranges(detect_voice(audio_of(noise), SegmentSettings()), SegmentSettings()) == []
    assert speech_ranges(detect_voice(audio_of(np.zeros(5 * SAMPLE_RATE)), SegmentSettings()), SegmentSettings()) == []


@pytest.mark.parametrize("decibels", [6, -12, -30])
def test_a_quiet_recording_is_detected_like_a_loud_one(audio_of, spoken_audio, decibels):
    speech = spoken_audio.read(0, 20 * SAMPLE_RATE) * 0.4
    loud = speech_ranges(detect_voice(audio_of(speech), SegmentSettings()), SegmentSettings())
    quiet = audio_of(speech * 10 ** (decibels / 20))
    found = speech_ranges(detect_voice(quiet, SegmentSettings()), SegmentSettings())
    assert np.abs(np.array(found) - np.array(loud)).max() <= 16 * 100  # 100 ms, about three windows


def test_the_speech_is_brought_to_the_level_of_the_bundle(audio_of, spoken_audio):
    speech = spoken_audio.read(0, 20 * SAMPLE_RATE)
    heard = detect_voice(audio_of(0.05 * speech + 0.1), SegmentSettings())
    ranges = speech_ranges(heard, SegmentSettings())
    levelling = level_speech(heard, ranges, SegmentSettings())
    assert levelling.offset == pytest.approx(0.1, abs=1e-3)
    assert active_level(heard.power[windows_inside(heard, ranges)]) == pytest.approx(
        SegmentSettings().level - 20 * np.log10(levelling.gain), abs=0.01
    )
    assert level_speech(heard, ranges, SegmentSettings(level=None)) == UNCHANGED
    assert level_speech(heard, [], SegmentSettings()) == UNCHANGED


def test_an_edge_lies_between_windows_where_the_probability_crosses():
    found = speech_ranges(activity([0] * 20 + [0.7] * 20 + [0] * 20), SegmentSettings())

    # 0.35 of 0.7 is half the way between the middles of windows 19 and 20; two windows of padding
    assert windows(found) == [(18.0, 42.0)]


def test_a_doubtful_window_does_not_end_an_island_and_alone_makes_none():
    doubtful = [0.4] * 15

    assert len(speech_ranges(activity([0] * 9 + [0.9] * 9 + doubtful + [0.9] * 9 + [0] * 9), SegmentSettings())) == 1
    assert speech_ranges(activity([0] * 9 + doubtful + [0] * 9), SegmentSettings()) == []


def test_gaps_shorter_than_a_pause_are_bridged():
    probability = [0.0] * 9 + [0.9] * 20 + [0.0] * 12 + [0.9] * 20 + [0.0] * 9

    assert len(speech_ranges(activity(probability), SegmentSettings(shortest_pause=0.3))) == 2
    assert len(speech_ranges(activity(probability), SegmentSettings(shortest_pause=0.5))) == 1


def test_a_click_is_no_speech():
    assert speech_ranges(activity([0] * 20 + [0.9] * 2 + [0] * 20), SegmentSettings()) == []


def test_islands_stay_inside_the_audio():
    assert windows(speech_ranges(activity([0.9] * 30), SegmentSettings())) == [(0.0, 30.0)]


def test_the_quietest_sample_has_the_lowest_probability_and_then_the_lowest_power():
    probability = [0.99] * 30 + [0.6] * 2 + [0.99] * 30
    assert quietest_sample(activity(probability), [(10 * WINDOW, 60 * WINDOW)]) == 31 * WINDOW

    power = [0.1] * 40 + [0.001] * 2 + [0.1] * 20
    assert (
        quietest_sample(activity([0.99] * 62, power), [(5 * WINDOW, 20 * WINDOW), (35 * WINDOW, 60 * WINDOW)])
        == 41 * WINDOW
    )


def test_a_stretch_within_one_window_is_cut_in_its_middle():
    assert quietest_sample(activity([0.9] * 10), [(100, 300)]) == 200
