"""Whether acting on the risks helps more than treating everybody or nobody (Vickers and Elkin 2006).

Net benefit at a threshold t counts true positives a document, less false positives at the exchange rate t / (1 - t)
that choosing t implies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

THRESHOLDS = tuple(round(step / 100, 2) for step in range(1, 51))
"""Risks at which somebody might act, 1 to 50 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPoint:
    """Net benefit a document at one threshold; treating nobody has 0."""

    threshold: float
    model: float
    treat_all: float

    @property
    def gain(self) -> float:
        """What the model adds to the better of treating all and treating none."""
        return self.model - max(self.treat_all, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCurve:
    """One outcome's net benefit over thresholds."""

    outcome: str
    cases: int
    documents: int
    points: tuple[DecisionPoint, ...]


def net_benefit(
    risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"], threshold: float
) -> float:
    """TP / n - FP / n * t / (1 - t), acting from the threshold on.

    Raises ValueError without documents, or when the threshold is not between 0 and 1.
    """
    if not 0 < threshold < 1:
        raise ValueError("a threshold of a decision curve lies between 0 and 1")
    if not len(risks):
        raise ValueError("a decision curve needs labelled documents, and there are none")
    treated = risks >= threshold
    true_positives, false_positives = (treated & is_case).mean(), (treated & ~is_case).mean()
    return float(true_positives - false_positives * threshold / (1 - threshold))


def decision_curve(
    risks: Float[np.ndarray, " document"],
    is_case: Bool[np.ndarray, " document"],
    *,
    outcome: str,
    thresholds: Sequence[float] = THRESHOLDS,
) -> DecisionCurve:
    """Net benefit of the model and of treating all, at every threshold."""
    everybody = np.ones(len(risks))
    return DecisionCurve(
        outcome=outcome,
        cases=int(is_case.sum()),
        documents=len(risks),
        points=tuple(
            DecisionPoint(
                threshold=threshold,
                model=net_benefit(risks, is_case, threshold),
                treat_all=net_benefit(everybody, is_case, threshold),
            )
            for threshold in thresholds
        ),
    )
