import numpy as np
import pytest

from training.errors import SpeechUnavailableError
from training.synthetic.speech import SAMPLE_RATE, Voice, speak


def test_a_phrase_sounds_the_same_whatever_was_said_before():
    voice = Voice(name="en-us+f2")
    first = speak("We went to the river.", voice)
    speak("Something else, in another voice.", Voice(name="en-gb-x-rp+m3", rate=120))
    assert np.array_equal(first, speak("We went to the river.", voice))


def test_a_faster_voice_takes_less_time():
    slow = speak("We went to the river on Monday.", Voice(name="en-us+m1", rate=120))
    fast = speak("We went to the river on Monday.", Voice(name="en-us+m1", rate=220))
    assert 1.4 < len(slow) / len(fast) < 2.3


def test_a_higher_pitch_raises_the_fundamental():
    low, high = (
        fundamental(speak("No no no no.", Voice(name="en-us+m1", pitch=pitch, pitch_range=5))) for pitch in (15, 85)
    )
    assert high > 1.3 * low


def test_an_unknown_voice_is_refused():
    with pytest.raises(SpeechUnavailableError, match="no voice"):
        speak("Hello.", Voice(name="atlantean+m1"))


def test_an_empty_phrase_is_silent():
    assert not np.any(speak("", Voice(name="en-us")))


def fundamental(samples):
    """Hertz of the strongest periodicity between 50 and 400 Hz in the loudest stretch."""
    centre = int(np.argmax(np.abs(samples)))
    stretch = samples[max(0, centre - 2000) : centre + 2000].astype(float)
    correlation = np.correlate(stretch, stretch, mode="full")[len(stretch) - 1 :]
    shortest, longest = SAMPLE_RATE // 400, SAMPLE_RATE // 50
    return SAMPLE_RATE / (shortest + int(np.argmax(correlation[shortest:longest])))
