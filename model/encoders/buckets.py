"""Fixed lengths to pad to, and batches of equal length.

A segment is padded to its bucket, which depends on the segment alone: its features never hang on
its batch mates, and the runtime meets few shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby


def bucket_of(length: int, step: int) -> int:
    """The smallest multiple of `step` that holds `length` (both in samples, or in tokens)."""
    return max(1, -(-length // step)) * step


def batches(lengths: Sequence[int], *, step: int, budget: int) -> Iterator[tuple[int, list[int]]]:
    """Group positions by bucket: yields (bucket, positions) with bucket * len(positions) <= budget.

    A single position over the budget still makes a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda position: (bucket_of(lengths[position], step), position))
    for bucket, members in groupby(order, key=lambda position: bucket_of(lengths[position], step)):
        positions = list(members)
        size = max(1, budget // bucket)
        for first in range(0, len(positions), size):
            yield bucket, positions[first : first + size]


def full_batches(*, longest: int, step: int, budget: int) -> tuple[tuple[int, int], ...]:
    """(rows, bucket) of a full batch of each bucket, up to the one that holds `longest`."""
    return tuple((max(1, budget // bucket), bucket) for bucket in range(step, bucket_of(longest, step) + 1, step))
