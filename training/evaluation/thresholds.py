"""A cut-off for one outcome's risk: chosen on some documents, measured on others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A risk from which on a document counts as a case, with the numbers it was chosen on."""

    value: float
    cases: int
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdResult:
    """What a threshold does to documents that had no say in it; a rate without anybody to rate is None."""

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def sensitivity(self) -> float | None:
        """Share of the cases at or above the threshold."""
        return _rate(self.true_positives, self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """Share of the others below the threshold."""
        return _rate(self.true_negatives, self.false_positives)

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of sensitivity and specificity; None when either is."""
        if self.sensitivity is None or self.specificity is None:
            return None
        return (self.sensitivity + self.specificity) / 2


def choose_threshold(risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]) -> Threshold:
    """The threshold with the best balanced accuracy (Youden 1950), midway between two neighbouring risks.

    Give it inner-fold predictions only: a threshold measured where it was chosen flatters itself. Of equally good
    ones the lowest is taken, which misses fewest cases. Raises ValueError when there are no cases or no others.
    """
    cases = int(is_case.sum())
    others = len(is_case) - cases
    if not cases or not others:
        raise ValueError("a threshold needs cases and others to choose by: use larger inner folds")
    levels = np.unique(risks)
    position = np.searchsorted(levels, risks)
    sensitivity = _share_from(position[is_case], len(levels))
    false_alarms = _share_from(position[~is_case], len(levels))
    best = int(np.argmax(np.round(sensitivity - false_alarms, 12)))
    below = levels[best - 1] if best else levels[0]
    return Threshold(value=float((levels[best] + below) / 2), cases=cases, others=others)


def measure_threshold(
    threshold: Threshold, risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]
) -> ThresholdResult:
    """Counts on documents other than those the threshold was chosen on."""
    positive = risks >= threshold.value
    return ThresholdResult(
        threshold=threshold.value,
        true_positives=int((positive & is_case).sum()),
        false_positives=int((positive & ~is_case).sum()),
        true_negatives=int((~positive & ~is_case).sum()),
        false_negatives=int((~positive & is_case).sum()),
    )


def _share_from(position: np.ndarray, levels: int) -> Float[np.ndarray, " level"]:
    """Share of the documents at each level or above it."""
    counted = np.bincount(position, minlength=levels)
    return np.asarray(counted[::-1].cumsum()[::-1] / len(position))


def _rate(hits: int, misses: int) -> float | None:
    return hits / (hits + misses) if hits + misses else None
