"""Calibration slope and intercept of one outcome against the rest (Cox 1958; Van Calster et al. 2019).

The slope is b of logit P(case) = a + b logit(p): below 1 the risks are too extreme, above 1 not extreme enough. The
intercept is a at b = 1 (calibration in the large): above 0 the risks are too low overall. Both are fitted for all
repeats at once by Newton's method, because a bootstrap evaluates them thousands of times.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from training.evaluation.bootstrap import Metric
from training.evaluation.calibration.reliability import finite_log_odds
from training.evaluation.out_of_fold import OutOfFoldPredictions

_STEPS = 40
_CLOSE = 1e-8


def slope_of(predictions: OutOfFoldPredictions, outcome: int) -> Metric:
    """Mean over repeats of the calibration slope of an outcome (by index); undefined if it is in any repeat.

    See docs/method.md (E7).
    """
    log_odds, is_case, known = _columns(predictions, outcome)

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        counts = np.bincount(rows, minlength=len(predictions.labels))[known].astype(np.float64)
        if not 0 < counts @ is_case < counts.sum() or _separated(log_odds, is_case, counts):
            return None
        slopes = _fit_slopes(log_odds, is_case, counts)
        return None if slopes is None else float(slopes.mean())

    return metric


def intercept_of(predictions: OutOfFoldPredictions, outcome: int) -> Metric:
    """Mean over repeats of the calibration intercept of an outcome (by index), at slope 1. See docs/method.md (E7)."""
    log_odds, is_case, known = _columns(predictions, outcome)

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        counts = np.bincount(rows, minlength=len(predictions.labels))[known].astype(np.float64)
        cases = counts @ is_case
        if not 0 < cases < counts.sum():
            return None
        shift = np.zeros((len(log_odds), 1))
        for _ in range(_STEPS):
            risks = expit(log_odds + shift)
            step = ((cases - risks @ counts) / ((risks * (1 - risks)) @ counts))[:, None]
            # Steps of at most 1 in log-odds keep Newton's method from diverging on the flat parts of the sigmoid.
            shift += np.clip(step, -1.0, 1.0)
            if np.abs(step).max() < _CLOSE:
                return float(shift.mean())
        return None

    return metric


def _columns(
    predictions: OutOfFoldPredictions, outcome: int
) -> tuple[Float[np.ndarray, "repeat known"], Float[np.ndarray, " known"], Int[np.ndarray, " known"]]:
    known = np.flatnonzero(predictions.labels >= 0)
    is_case = (predictions.labels[known] == outcome).astype(np.float64)
    return finite_log_odds(predictions.probabilities[:, known, outcome]), is_case, known


def _separated(
    log_odds: Float[np.ndarray, "repeat known"],
    is_case: Float[np.ndarray, " known"],
    counts: Float[np.ndarray, " known"],
) -> bool:
    """Whether the risks of a repeat separate the drawn cases from the others: the likelihood then has no maximum."""
    cases, others = log_odds[:, (counts * is_case) > 0], log_odds[:, (counts * (1 - is_case)) > 0]
    apart = (cases.min(axis=1) >= others.max(axis=1)) | (cases.max(axis=1) <= others.min(axis=1))
    return bool(apart.any())


def _fit_slopes(
    log_odds: Float[np.ndarray, "repeat known"],
    is_case: Float[np.ndarray, " known"],
    counts: Float[np.ndarray, " known"],
) -> Float[np.ndarray, " repeat"] | None:
    """The slope of the logistic regression of cases on log-odds in each repeat; None when one has no maximum."""
    intercepts, slopes = np.zeros(len(log_odds)), np.ones(len(log_odds))
    for _ in range(_STEPS):
        risks = expit(intercepts[:, None] + slopes[:, None] * log_odds)
        residuals, weights = counts * (is_case - risks), counts * risks * (1 - risks)
        of_intercept, of_slope = residuals.sum(axis=1), (residuals * log_odds).sum(axis=1)
        plain, mixed, squared = (
            weights.sum(axis=1),
            (weights * log_odds).sum(axis=1),
            (weights * log_odds**2).sum(axis=1),
        )
        determinant = plain * squared - mixed**2
        # With equal log-odds any slope fits, and the matrix has no inverse.
        if (determinant <= np.finfo(np.float64).tiny).any():
            return None
        step = (plain * of_slope - mixed * of_intercept) / determinant
        intercepts = intercepts + (squared * of_intercept - mixed * of_slope) / determinant
        slopes = slopes + step
        if np.abs(step).max() < _CLOSE:
            return np.asarray(slopes)
    return None
