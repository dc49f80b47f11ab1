"""Average the features of the windows of a long segment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32


def average_windows(
    features: Float32[np.ndarray, "window dim"], owners: Sequence[int], lengths: Sequence[int], *, count: int
) -> Float32[np.ndarray, "segment dim"]:
    """The mean over the windows of each segment, weighted by their lengths (in tokens, or in samples).

    `owners` holds the segment index of each window, below `count`. A segment without windows gets zeros.

    See docs/method.md (F7).
    """
    weights = np.array(lengths, dtype=np.float32)
    total = np.zeros((count, features.shape[1]), dtype=np.float32)
    weight = np.zeros((count, 1), dtype=np.float32)
    # `+=` adds only once to an index that occurs twice.
    np.add.at(total, list(owners), features * weights[:, None])
    np.add.at(weight[:, 0], list(owners), weights)
    return total / np.maximum(weight, 1.0)
