"""Lengths to pad documents to: few, so that steps stay few, and such that little is padding.

Documents of one length bound go through the network together. The bounds are chosen once for a cohort, so that a
document is padded alike whichever fold it is in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise

MIN_PADDING_GAIN = 0.05
"""A further bound must save this share of the padded positions, for it also costs a pass of its own."""


def choose_padded_lengths(lengths: Sequence[int], *, most: int = 4) -> tuple[int, ...]:
    """At most `most` bounds, ascending, that hold all lengths (in segments) with the fewest padded positions."""
    counted = sorted(Counter(max(1, length) for length in lengths).items())
    values = [length for length, _ in counted]
    below = [0, *accumulate(count for _, count in counted)]
    best: tuple[int, ...] = (values[-1],)
    for groups in range(2, min(most, len(values)) + 1):
        chosen = _fewest_positions(values, below, groups)
        if _positions(chosen, values, below) > (1 - MIN_PADDING_GAIN) * _positions(best, values, below):
            break
        best = chosen
    return best


def padded_length_index(length: int, bounds: Sequence[int]) -> int:
    """Position of the smallest bound that holds a document of so many segments."""
    return next(position for position, bound in enumerate(bounds) if length <= bound)


def _positions(bounds: Sequence[int], values: Sequence[int], below: Sequence[int]) -> int:
    ends = [0, *(below[values.index(bound) + 1] for bound in bounds)]
    return sum(bound * (end - start) for bound, (start, end) in zip(bounds, pairwise(ends), strict=True))


def _fewest_positions(values: Sequence[int], below: Sequence[int], groups: int) -> tuple[int, ...]:
    """Exact, by dynamic programming over the distinct lengths."""
    reached: list[tuple[int, tuple[int, ...]]] = [
        (value * below[index + 1], (value,)) for index, value in enumerate(values)
    ]
    for _ in range(groups - 1):
        reached = [
            min(
                (
                    (cost + value * (below[index + 1] - below[earlier + 1]), (*bounds, value))
                    for earlier, (cost, bounds) in enumerate(reached[:index])
                ),
                default=reached[index],
            )
            for index, value in enumerate(values)
        ]
    return reached[-1][1]
