"""Agreement of two measurements of the same recordings."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def intraclass_correlation(pairs: Float64[np.ndarray, "recording 2"]) -> float | None:
    """ICC(2,1): two-way random effects, absolute agreement, single measurement (Shrout and Fleiss 1979).

    None for fewer than three recordings, or if nothing varies. See docs/method.md (E20).
    """
    count, raters = pairs.shape
    if count < 3:  # noqa: PLR2004 - with two recordings the estimate is one difference
        return None
    mean = pairs.mean()
    rows = raters * np.square(pairs.mean(axis=1) - mean).sum() / (count - 1)
    columns = count * np.square(pairs.mean(axis=0) - mean).sum() / (raters - 1)
    residual = np.square(pairs - pairs.mean(axis=1, keepdims=True) - pairs.mean(axis=0) + mean).sum()
    error = residual / ((count - 1) * (raters - 1))
    total = rows + (raters - 1) * error + raters * (columns - error) / count
    return float((rows - error) / total) if total > 0 else None
