import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.segments.timeline import join, make_timeline

gaps_and_lengths = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=12)


def stretches_from(gaps):
    stretches, at = [], 0
    for gap, length in gaps:
        stretches.append((at + gap, at + gap + length))
        at += gap + length
    return stretches


def ticks_of(stretches):
    return [tick for start, stop in stretches for tick in range(start, stop)]


@given(gaps_and_lengths, st.data())
def test_speech_between_two_cuts_is_that_slice_of_all_speech(gaps, data):
    speech = make_timeline(stretches_from(gaps))
    everything = ticks_of(speech.ranges())
    assert speech.length == len(everything)
    begin = data.draw(st.integers(0, speech.length))
    end = data.draw(st.integers(begin, speech.length))

    assert ticks_of(speech.between(begin, end)) == everything[begin:end]


@given(gaps_and_lengths, st.integers(-5, 1300))
def test_speech_before_an_instant_is_counted(gaps, instant):
    speech = make_timeline(stretches_from(gaps))

    assert speech.before(instant) == sum(tick < instant for tick in ticks_of(speech.ranges()))


@given(gaps_and_lengths, gaps_and_lengths)
def test_speech_within_others_is_what_both_hold(gaps, others):
    speech, other = make_timeline(stretches_from(gaps)), stretches_from(others)

    common = speech.within(other)

    assert ticks_of(common.ranges()) == sorted(set(ticks_of(speech.ranges())) & set(ticks_of(other)))
    assert np.all(common.stops > common.starts)


def test_no_speech_has_no_length():
    nothing = make_timeline([(5, 5)])

    assert nothing.length == 0
    assert nothing.before(100) == 0
    assert nothing.between(0, 0) == []


@pytest.mark.parametrize(
    ("gap", "expected"), [(1, [(0, 5), (6, 9), (20, 22)]), (2, [(0, 9), (20, 22)]), (12, [(0, 22)])]
)
def test_stretches_join_over_gaps_that_are_short_enough(gap, expected):
    assert join([(6, 9), (0, 5), (2, 4), (20, 22)], gap) == expected
