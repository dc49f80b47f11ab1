"""Choice of cuts: at the longest pauses that keep every segment within its shortest and longest length."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.config import SegmentSettings
from model.recording.audio import SAMPLE_RATE
from model.segments.timeline import SampleRange, SpeechTimeline

# Consecutive utterances overlap slightly in most transcripts.
OVERLAP = SAMPLE_RATE // 10
# Seconds of pause that a cut gains for each second nearer to the middle of the admissible range. It resolves near ties
# identically for all codecs; a pause that is longer by 0.2 s always wins.
CENTRALITY = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cut in samples of speech; `clean` if it divides no utterance, `pause` in samples of the recording."""

    at: int
    pause: int
    clean: bool


def possible_cuts(speech: SpeechTimeline, utterances: Sequence[SampleRange]) -> list[Cut]:
    """The pauses of the speech and the boundaries between utterances, in order.

    `utterances` are ranges of the recording, in order of their start; empty if the transcript has no times.

    See docs/method.md (F3).
    """
    breaks = _breaks(utterances)
    ends = [until for _, until in breaks]
    cuts = []
    for at in range(1, speech.starts.size):
        start, stop = int(speech.stops[at - 1]), int(speech.starts[at])
        near = bisect_left(ends, start - OVERLAP)
        clean = near < len(breaks) and breaks[near][0] <= stop + OVERLAP
        cuts.append(Cut(at=int(speech.offsets[at]), pause=stop - start, clean=clean))
    cuts += [Cut(at=speech.before((since + until) // 2), pause=0, clean=True) for since, until in breaks]
    return sorted(cuts, key=lambda cut: cut.at)


def choose_cuts(
    speech: SpeechTimeline, possible: Sequence[Cut], settings: SegmentSettings, quietest: Callable[[int, int], int]
) -> list[int]:
    """The ends of all segments but the last, in samples of speech.

    Each segment takes the best cut between `shortest` and `longest` that leaves at least `shortest` behind it. If
    there is none, `quietest` chooses a sample in the given range of speech.

    See docs/method.md (F3).
    """
    longest = round(settings.longest * SAMPLE_RATE)
    shortest = min(round(settings.shortest * SAMPLE_RATE), longest)
    positions = [cut.at for cut in possible]
    chosen, begin = [], 0
    while speech.length - begin > longest:
        low = begin + shortest
        high = max(low, min(begin + longest, speech.length - shortest))
        admissible = possible[bisect_left(positions, low) : bisect_right(positions, high)]
        begin = _best(admissible, (low + high) / 2) if admissible else quietest(low, high)
        chosen.append(begin)
    return chosen


def _best(admissible: Sequence[Cut], middle: float) -> int:
    def merit(cut: Cut) -> tuple[bool, float]:
        return cut.clean, cut.pause - CENTRALITY * abs(cut.at - middle)

    return max(admissible, key=merit).at


def _breaks(utterances: Sequence[SampleRange]) -> list[SampleRange]:
    """The gaps between utterances that overlap little or not at all, before the first and after the last included."""
    if not utterances:
        return []
    breaks, until = [(-1, utterances[0][0])], utterances[0][1]
    for start, stop in utterances[1:]:
        if start >= until - OVERLAP:
            breaks.append((min(until, start), max(until, start)))
        until = max(until, stop)
    return [*breaks, (until, max(until, utterances[-1][1]) + 1)]
