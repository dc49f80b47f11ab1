from dataclasses import replace

import pytest

from model.recording.utterance import Utterance
from model.segments.timeline import make_timeline
from model.segments.voice_activity import PADDING
from model.segments.whole_seconds import in_whole_seconds, move_to_pauses

RATE = 16_000
SPOKEN = [(0.4, 2.2), (3.1, 6.3), (7.2, 10.3), (11.6, 14.3)]
"""Seconds in which somebody speaks; the speaker changes in each pause."""


def said(*times):
    return tuple(Utterance(start=start, end=end, text="yes", speaker=None) for start, end in times)


def heard(*times):
    return make_timeline([(round(start * RATE) - PADDING, round(stop * RATE) + PADDING) for start, stop in times])


def times(utterances):
    return [(round(one.start, 2), round(one.end, 2)) for one in utterances]


@pytest.mark.parametrize("rounding", [int, round], ids=["cut off", "rounded"])
def test_whole_seconds_become_the_pauses_they_stand_for(rounding):
    starts = [float(rounding(start)) for start, _ in SPOKEN]
    written = said(*zip(starts, [*starts[1:], 15.0], strict=True))
    moved = times(move_to_pauses(written, heard(*SPOKEN)))
    assert [start for start, _ in moved[1:]] == [start for start, _ in SPOKEN[1:]]
    assert [end for _, end in moved[:-1]] == [end for _, end in SPOKEN[:-1]]


def test_a_pause_in_which_the_next_utterance_cannot_begin_is_not_taken():
    """A longer pause follows the change, within the second utterance."""
    spoken = heard((0.4, 2.2), (2.9, 3.4), (5.0, 8.0))
    assert times(move_to_pauses(said((0.0, 2.0), (2.0, 8.0)), spoken)) == [(0.0, 2.2), (2.9, 8.0)]


def test_without_a_pause_the_times_stay():
    written = said((0.0, 3.0), (3.0, 6.0))
    assert move_to_pauses(written, heard((0.0, 8.0))) == written


def test_utterances_far_apart_keep_their_times():
    written = said((0.0, 2.0), (7.0, 10.0))
    assert move_to_pauses(written, heard(*SPOKEN)) == written


def test_an_utterance_is_not_moved_before_its_start():
    written = said((3.0, 3.0), (3.0, 6.0))
    assert times(move_to_pauses(written, heard(*SPOKEN))) == [(3.0, 3.0), (3.0, 6.0)]


def test_four_starts_in_whole_seconds_are_no_chance():
    written = said((0.0, 2.0), (2.0, 3.5), (4.0, 5.0), (5.0, 6.0))
    assert in_whole_seconds(written)
    assert not in_whole_seconds(written[:3])
    assert not in_whole_seconds((*written, replace(written[0], start=6.5, end=7.0)))
    assert not in_whole_seconds((*written, replace(written[0], start=None, end=None)))
