"""Times in whole seconds, moved to the pause of the recording that they stand for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from model.recording.audio import SAMPLE_RATE
from model.recording.utterance import Utterance
from model.segments.alignment import to_samples
from model.segments.timeline import SampleRange, SpeechTimeline
from model.segments.voice_activity import PADDING

# Of fewer utterances the starts may be whole seconds by chance.
LEAST_UTTERANCES = 4
# A tool cuts the fraction off or rounds it: the true time is at most so much earlier or later.
EARLIER, LATER = SAMPLE_RATE // 2, SAMPLE_RATE


def in_whole_seconds(utterances: Sequence[Utterance]) -> bool:
    """Whether all starts are whole seconds, as Otter, Rev and `[mm:ss]` transcripts write them."""
    return len(utterances) >= LEAST_UTTERANCES and all(
        utterance.start is not None and utterance.start.is_integer() for utterance in utterances
    )


def move_to_pauses(utterances: Sequence[Utterance], heard: SpeechTimeline) -> tuple[Utterance, ...]:
    """The utterances in the order given, each change from one to the next moved to the longest pause that fits it.

    A pause fits if the next utterance may begin at its end: from half a second before its start to a second after it.
    Without one the times stay. `utterances` are timed and in order. See docs/method.md (F2).
    """
    pauses = _pauses(heard)
    ends = [stop for _, stop in pauses]
    moved = list(utterances)
    for at in range(len(moved) - 1):
        before, after = moved[at], moved[at + 1]
        start = to_samples(after.start)
        fitting = pauses[bisect_left(ends, start - EARLIER) : bisect_left(ends, start + LATER)]
        pause = max(fitting, key=lambda found: found[1] - found[0], default=None)
        # Utterances that are far apart have other sound between them, and each keeps its own time.
        if pause is None or not to_samples(before.start) < pause[0] or start - to_samples(before.end) > LATER:
            continue
        first, last = pause[0] / SAMPLE_RATE, pause[1] / SAMPLE_RATE
        moved[at] = replace(before, end=first)
        moved[at + 1] = replace(after, start=last, end=max(after.end or 0.0, last))
    return tuple(moved)


def _pauses(heard: SpeechTimeline) -> list[SampleRange]:
    """The pauses between ranges of speech, without the padding of the ranges: a word does not begin in it."""
    ranges = heard.ranges()
    return [(stop - PADDING, start + PADDING) for (_, stop), (start, _) in pairwise(ranges)]
