"""Temperature scaling on held-out logits (Guo et al. 2017)."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from training.evaluation.metrics import log_loss, softmax

COOLEST, HOTTEST = 0.05, 20.0
_TOLERANCE = 1e-5
_GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(logits: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]) -> float:
    """The T in [0.05, 20] that minimises the log loss of softmax(logits / T); 1.0 without labels.

    The log loss is convex in 1/T, so it has one minimum along log T, which golden-section search finds. The logits
    must come from documents that the network was not trained on.

    See docs/method.md (K2).
    """
    if not (labels >= 0).any():
        return 1.0

    def loss(log_temperature: float) -> float:
        return log_loss(softmax(logits / math.exp(log_temperature)), labels)

    low, high = math.log(COOLEST), math.log(HOTTEST)
    while high - low > _TOLERANCE:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)
