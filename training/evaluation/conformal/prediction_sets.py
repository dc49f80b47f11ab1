"""Split conformal prediction: sets of outcomes that contain the right one with probability of at least 1 - alpha.

The nonconformity score is one minus the probability of the right outcome (Sadinle, Lei and Wasserman 2019). The
guarantee holds for documents exchangeable with the calibration documents, on which no model was trained. It is an
average over outcomes, unless the thresholds are class-conditional (Vovk 2012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from training.errors import TooFewCalibrationCasesError
from training.evaluation.metrics import keep_labelled

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalThresholds:
    """Fitted thresholds: an outcome is in the set when one minus its probability is at most its threshold."""

    alpha: float
    class_conditional: bool
    outcomes: tuple[str, ...]
    thresholds: tuple[float, ...]
    calibration_cases: tuple[int, ...]


def fewest_cases(alpha: float) -> int:
    """The smallest n with ceil((n + 1)(1 - alpha)) <= n: 9 at alpha = .1, 19 at .05. See docs/method.md (K3)."""
    if not 0 < alpha < 1:
        raise ValueError("alpha, the share of sets that may miss the outcome, lies between 0 and 1")
    return math.ceil(1 / alpha - 1 - _ROUNDING)


def fit_marginal(
    probabilities: Float[np.ndarray, "document outcome"],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
    *,
    alpha: float = 0.1,
) -> ConformalThresholds:
    """One threshold for all outcomes: coverage holds on average over outcomes.

    Raises TooFewCalibrationCasesError below `fewest_cases(alpha)` labelled documents.

    See docs/method.md (K3).
    """
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    scores = _scores(known_probabilities, known_labels)
    _refuse_few({"all outcomes together": len(scores)}, alpha)
    threshold = _quantile(scores, alpha)
    return ConformalThresholds(
        alpha=alpha,
        class_conditional=False,
        outcomes=tuple(outcomes),
        thresholds=(threshold,) * len(outcomes),
        calibration_cases=tuple(np.bincount(known_labels, minlength=len(outcomes)).tolist()),
    )


def fit_class_conditional(
    probabilities: Float[np.ndarray, "document outcome"],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
    *,
    alpha: float = 0.1,
) -> ConformalThresholds:
    """A threshold per outcome: coverage holds for each outcome.

    Raises TooFewCalibrationCasesError when any outcome has fewer than `fewest_cases(alpha)` cases.

    See docs/method.md (K4).
    """
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    scores = _scores(known_probabilities, known_labels)
    cases = {name: int((known_labels == index).sum()) for index, name in enumerate(outcomes)}
    _refuse_few(cases, alpha)
    return ConformalThresholds(
        alpha=alpha,
        class_conditional=True,
        outcomes=tuple(outcomes),
        thresholds=tuple(_quantile(scores[known_labels == index], alpha) for index in range(len(outcomes))),
        calibration_cases=tuple(cases.values()),
    )


def predict_sets(
    fitted: ConformalThresholds, probabilities: Float[np.ndarray, "document outcome"]
) -> Bool[np.ndarray, "document outcome"]:
    """The set of outcomes of each document. An empty set indicates a document unlike the calibration documents.

    See docs/method.md (K5).
    """
    return np.asarray(1 - probabilities <= np.array(fitted.thresholds))


def _scores(
    probabilities: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]
) -> Float[np.ndarray, " document"]:
    return np.asarray(1 - probabilities[np.arange(len(labels)), labels])


def _quantile(scores: Float[np.ndarray, " document"], alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest score."""
    rank = math.ceil((len(scores) + 1) * (1 - alpha) - _ROUNDING)
    return float(np.sort(scores)[rank - 1])


def _refuse_few(cases: dict[str, int], alpha: float) -> None:
    needed = fewest_cases(alpha)
    short = [f"{name} ({count})" for name, count in cases.items() if count < needed]
    if short:
        raise TooFewCalibrationCasesError(
            f"at alpha = {alpha:g} a threshold needs {needed} calibration cases, for ceil((n + 1)(1 - alpha)) exceeds "
            f"n below that; too few: {', '.join(short)}. Use marginal sets, a larger alpha, or more cases"
        )
