"""Sets of outcomes for out-of-fold risks: each fold's sets are calibrated on the other folds of the same repeat.

The other folds hold other families, and their risks come from networks that had not seen them, but from other networks
than the fold's own, so the promise of split conformal prediction holds only about (cross-conformal: Vovk 2015).
Coverage is therefore measured, over all and for each outcome.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from model.config import Settings
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_ratios, family_shares
from training.evaluation.conformal.prediction_sets import (
    ConformalThresholds,
    TooFewCalibrationCasesError,
    fewest_cases,
    fit_class_conditional,
    fit_marginal,
    predict_sets,
)
from training.evaluation.out_of_fold import OutOfFold


class OutcomeSets(Settings):
    """How often the sets of this outcome's cases held it, and how many outcomes they held; None without cases."""

    outcome: str
    cases: int
    coverage: Interval
    size: Interval


class SetMeasures(Settings):
    """Sets of one kind. `sizes` are the shares of sets that hold 0, 1, 2 ... outcomes, over repeats and documents."""

    promised: float
    overall: OutcomeSets
    by_outcome: tuple[OutcomeSets, ...]
    sizes: tuple[float, ...]
    fewest_calibration_cases: tuple[int, ...]


class ConformalMeasures(Settings):
    """Marginal and class-conditional sets; one that had too few calibration cases is None and `withheld` says why."""

    alpha: float
    marginal: SetMeasures | None
    class_conditional: SetMeasures | None
    withheld: tuple[str, ...]


Fit = Callable[..., ConformalThresholds]


def measure_sets(found: OutOfFold, alpha: float, settings: BootstrapSettings) -> ConformalMeasures:
    """Coverage and size of the cross-conformal sets."""
    cases = _calibration_cases(found)
    withheld = []
    measured: dict[str, SetMeasures | None] = {}
    for name, fit in (("marginal", fit_marginal), ("class-conditional", fit_class_conditional)):
        try:
            sets = predict_cross_conformal(found, fit, alpha)
        except TooFewCalibrationCasesError:
            measured[name] = None
            withheld.append(_explain(name, found, cases, alpha))
        else:
            measured[name] = _measure(found, sets, alpha, cases, settings)
    return ConformalMeasures(
        alpha=alpha,
        marginal=measured["marginal"],
        class_conditional=measured["class-conditional"],
        withheld=tuple(withheld),
    )


def predict_cross_conformal(found: OutOfFold, fit: Fit, alpha: float) -> Bool[np.ndarray, "repeat document outcome"]:
    """Each document's set, with thresholds fitted on the other folds of its repeat.

    Raises TooFewCalibrationCasesError when some fold's others are too few for `fit`.
    """
    sets = np.zeros(found.probabilities.shape, dtype=bool)
    for repeat, (probabilities, fold_of) in enumerate(zip(found.probabilities, found.fold_of, strict=True)):
        for fold in np.unique(fold_of):
            tested = fold_of == fold
            fitted = fit(probabilities[~tested], found.labels[~tested], found.outcomes, alpha=alpha)
            sets[repeat, tested] = predict_sets(fitted, probabilities[tested])
    return sets


def _calibration_cases(found: OutOfFold) -> tuple[int, ...]:
    """The fewest calibration cases of each outcome in any fold."""
    return tuple(
        min(
            int((found.labels[fold_of != fold] == index).sum())
            for fold_of in found.fold_of
            for fold in np.unique(fold_of)
        )
        for index in range(len(found.outcomes))
    )


def _explain(name: str, found: OutOfFold, cases: tuple[int, ...], alpha: float) -> str:
    counted = ", ".join(f"{outcome} {count}" for outcome, count in zip(found.outcomes, cases, strict=True))
    return (
        f"No {name} sets at alpha {alpha:g}: they need {fewest_cases(alpha)} calibration cases, "
        f"and the fewest in any fold were {counted}."
    )


def _measure(
    found: OutOfFold,
    sets: Bool[np.ndarray, "repeat document outcome"],
    alpha: float,
    cases: tuple[int, ...],
    settings: BootstrapSettings,
) -> SetMeasures:
    known = found.labels >= 0
    held = np.take_along_axis(sets, np.where(known, found.labels, 0)[None, :, None], axis=2)[:, :, 0]
    size = sets.sum(axis=2)
    groups = np.column_stack([known, *(found.labels == index for index in range(len(found.outcomes)))])
    columns: Float[np.ndarray, "document group"] = groups.astype(np.float64)
    coverages = family_shares(columns * held.mean(axis=0)[:, None], columns, found.families, settings)
    sizes = family_ratios(columns * size.mean(axis=0)[:, None], columns, found.families, settings)
    overall, *by_outcome = (
        OutcomeSets(outcome=name, cases=int(column.sum()), coverage=coverage, size=mean_size)
        for name, column, coverage, mean_size in zip(("all", *found.outcomes), groups.T, coverages, sizes, strict=True)
    )
    counted = np.bincount(size[:, known].ravel(), minlength=len(found.outcomes) + 1)
    return SetMeasures(
        promised=1 - alpha,
        overall=overall,
        by_outcome=tuple(by_outcome),
        sizes=tuple((counted / max(counted.sum(), 1)).tolist()),
        fewest_calibration_cases=cases,
    )
