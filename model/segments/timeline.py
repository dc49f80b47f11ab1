"""The timeline of a recording's speech: its ranges of speech, concatenated.

The length of a segment counts speech only, without pauses and other speakers. `SpeechTimeline` converts between time of
speech and time of the recording. All times are samples at 16 kHz, so cuts are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

SampleRange = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeechTimeline:
    """Disjoint ranges of speech, in order; `offsets` is the length of speech before each of them."""

    starts: Int64[np.ndarray, " range"]
    stops: Int64[np.ndarray, " range"]
    offsets: Int64[np.ndarray, " range"]

    @property
    def length(self) -> int:
        """Length of all speech, in samples."""
        return int(self.offsets[-1] + self.stops[-1] - self.starts[-1]) if self.starts.size else 0

    def ranges(self) -> list[SampleRange]:
        """Start and stop of each range, in samples of the recording."""
        return list(zip(self.starts.tolist(), self.stops.tolist(), strict=True))

    def before(self, instant: int) -> int:
        """Length of the speech before a sample of the recording."""
        at = int(np.searchsorted(self.starts, instant, side="right")) - 1
        if at < 0:
            return 0
        return int(self.offsets[at] + min(instant, int(self.stops[at])) - self.starts[at])

    def between(self, begin: int, end: int) -> list[SampleRange]:
        """The ranges of the recording that hold the speech from `begin` to `end`, both in samples of speech."""
        first = max(int(np.searchsorted(self.offsets, begin, side="right")) - 1, 0)
        last = int(np.searchsorted(self.offsets, end, side="left"))
        cut = []
        for at in range(first, last):
            start, stop, offset = int(self.starts[at]), int(self.stops[at]), int(self.offsets[at])
            piece = max(start, start + begin - offset), min(stop, start + end - offset)
            if piece[0] < piece[1]:
                cut.append(piece)
        return cut

    def within(self, others: Iterable[SampleRange]) -> SpeechTimeline:
        """The speech that lies in the other ranges, which are disjoint and in order."""
        mine, parts, at = self.ranges(), [], 0
        for start, stop in others:
            while at < len(mine) and mine[at][1] <= start:
                at += 1
            ahead = at
            while ahead < len(mine) and mine[ahead][0] < stop:
                parts.append((max(start, mine[ahead][0]), min(stop, mine[ahead][1])))
                ahead += 1
        return make_timeline(parts)

    def without(self, others: Iterable[SampleRange]) -> SpeechTimeline:
        """The speech that lies in none of the other ranges, which are disjoint and in order."""
        edges = [0]
        for start, stop in others:
            edges += [start, stop]
        edges.append(int(self.stops[-1]) if self.stops.size else 0)
        return self.within(zip(edges[::2], edges[1::2], strict=True))


def make_timeline(ranges: Iterable[SampleRange]) -> SpeechTimeline:
    """The timeline of disjoint ranges in order; drops empty ranges."""
    filled = [(start, stop) for start, stop in ranges if start < stop]
    # Without ranges the array has no second axis.
    table = np.array(filled, dtype=np.int64).reshape(-1, 2)
    lengths = table[:, 1] - table[:, 0]
    return SpeechTimeline(starts=table[:, 0], stops=table[:, 1], offsets=np.cumsum(lengths) - lengths)


def join(ranges: Iterable[SampleRange], gap: int) -> list[SampleRange]:
    """Ranges in order of their start; merges those that overlap or are less than `gap` apart."""
    joined: list[SampleRange] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((start, stop))
    return joined
