import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import SegmentSettings
from model.recording.audio import SAMPLE_RATE
from model.segments.cuts import choose_cuts, possible_cuts
from model.segments.timeline import make_timeline

SECOND = SAMPLE_RATE


def at_seconds(stretches):
    return [(round(start * SECOND), round(stop * SECOND)) for start, stop in stretches]


def cuts_of(stretches, utterances=(), quietest=lambda low, high: (low + high) // 2):
    speech = make_timeline(at_seconds(stretches))
    chosen = choose_cuts(speech, possible_cuts(speech, at_seconds(utterances)), SegmentSettings(), quietest)
    return [at / SECOND for at in chosen]


def test_the_longest_pause_in_the_admissible_range_is_cut_and_not_the_first():
    assert cuts_of([(0, 12), (12.5, 20), (21.5, 26), (26.4, 44)]) == [19.5]


def test_pauses_outside_the_admissible_range_do_not_count():
    assert cuts_of([(0, 5), (15, 22), (22.4, 45)]) == [12]


def test_speech_that_fits_into_one_segment_is_not_cut():
    assert cuts_of([(0, 10), (12, 32)]) == []


def test_a_cut_never_leaves_less_than_the_shortest_behind():
    # 31 s of speech with its only long pause after 29 s
    assert cuts_of([(0, 15), (15.4, 29.4), (32, 34)]) == [15]


def test_equal_pauses_are_settled_near_the_middle():
    assert cuts_of([(0, 11), (12, 20), (21, 29), (30, 60)]) == [19, 38]


def test_a_boundary_between_utterances_goes_before_a_longer_pause_inside_one():
    stretches = [(0, 14), (16, 22), (22.4, 45)]
    assert cuts_of(stretches) == [14]
    assert cuts_of(stretches, [(0, 22.1), (22.3, 45)]) == [20]


def test_utterances_without_a_pause_between_them_are_cut_at_their_boundary():
    assert cuts_of([(0, 40)], [(0, 17.5), (17.45, 40)]) == pytest.approx([17.475], abs=1e-4)


def test_overlapping_utterances_have_no_cut_between_them():
    assert cuts_of([(0, 40)], [(0, 20), (15, 40)], lambda low, _: low) == [10]


def test_unbroken_speech_is_cut_where_it_is_quietest():
    assert cuts_of([(0, 75)], quietest=lambda low, high: high) == [30, 60]


@given(
    st.lists(st.tuples(st.floats(0.3, 5), st.floats(0.1, 70)), min_size=1, max_size=25),
    st.booleans(),
)
def test_every_segment_keeps_its_bounds_and_none_but_an_only_one_is_short(parts, spoken):
    stretches, at = [], 0.0
    for pause, length in parts:
        stretches.append((at + pause, at + pause + length))
        at += pause + length
    total = make_timeline(at_seconds(stretches)).length / SECOND

    edges = [0.0, *cuts_of(stretches, stretches if spoken else ()), total]

    sizes = [after - before for before, after in itertools.pairwise(edges)]
    assert max(sizes) <= 30 + 1e-6
    assert len(sizes) == 1 or min(sizes) >= 10 - 1e-3


def test_the_longest_length_holds_also_if_the_shortest_exceeds_half_of_it():
    speech = make_timeline(at_seconds([(0, 31)]))
    settings = SegmentSettings(shortest=25, longest=20)

    chosen = choose_cuts(speech, [], settings, lambda low, _: low)

    assert chosen == [20 * SECOND]
