"""The speech of a recording, laid end to end.

Segments are counted in seconds of speech, not of the clock: a segment skips pauses and other speakers. `Speech`
translates between the two. Everything here counts in samples at 16 kHz ("ticks"), so cuts are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

SampleRange = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeechTimeline:
    """Stretches of speech in order, apart from each other; `offsets` is the speech before each of them."""

    starts: Int64[np.ndarray, " stretch"]
    stops: Int64[np.ndarray, " stretch"]
    offsets: Int64[np.ndarray, " stretch"]

    @property
    def length(self) -> int:
        """All speech, in ticks."""
        return int(self.offsets[-1] + self.stops[-1] - self.starts[-1]) if self.starts.size else 0

    def stretches(self) -> list[SampleRange]:
        """Start and stop of each stretch, on the clock."""
        return list(zip(self.starts.tolist(), self.stops.tolist(), strict=True))

    def before(self, instant: int) -> int:
        """How much speech there is before an instant of the clock."""
        at = int(np.searchsorted(self.starts, instant, side="right")) - 1
        if at < 0:
            return 0
        return int(self.offsets[at] + min(instant, int(self.stops[at])) - self.starts[at])

    def between(self, begin: int, end: int) -> list[SampleRange]:
        """The stretches that hold the speech from `begin` to `end`, both counted in speech."""
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
        """The part of this speech that lies in the other stretches, which are in order and apart."""
        mine, parts, at = self.stretches(), [], 0
        for start, stop in others:
            while at < len(mine) and mine[at][1] <= start:
                at += 1
            ahead = at
            while ahead < len(mine) and mine[ahead][0] < stop:
                parts.append((max(start, mine[ahead][0]), min(stop, mine[ahead][1])))
                ahead += 1
        return make_timeline(parts)


def make_timeline(stretches: Iterable[SampleRange]) -> SpeechTimeline:
    """Speech of stretches that are in order and apart; empty ones are dropped."""
    filled = [(start, stop) for start, stop in stretches if start < stop]
    table = np.array(filled, dtype=np.int64).reshape(-1, 2)
    lengths = table[:, 1] - table[:, 0]
    return SpeechTimeline(starts=table[:, 0], stops=table[:, 1], offsets=np.cumsum(lengths) - lengths)


def join(stretches: Iterable[SampleRange], gap: int) -> list[SampleRange]:
    """Stretches in order of their start, made one where they overlap or less than `gap` lies between."""
    joined: list[SampleRange] = []
    for start, stop in sorted(stretches):
        if joined and start - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((start, stop))
    return joined
