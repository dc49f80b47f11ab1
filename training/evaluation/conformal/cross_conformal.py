"""Cross-conformal prediction (Vovk 2015): the sets of a fold are calibrated on the other folds of its repeat.

The other folds hold other families, but their risks come from other networks than those of the fold. The coverage
guarantee of split conformal prediction therefore holds only approximately, and coverage is measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from model.config import FrozenSettings
from training.errors import TooFewCalibrationCasesError
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_ratios, family_shares
from training.evaluation.conformal.prediction_sets import (
    ConformalThresholds,
    fewest_cases,
    fit_class_conditional,
    fit_marginal,
    predict_sets,
)
from training.evaluation.out_of_fold import OutOfFoldPredictions


class OutcomeSets(FrozenSettings):
    """Coverage and mean size of the sets of an outcome's cases."""

    outcome: str
    cases: int
    coverage: Interval
    size: Interval


class SetMeasures(FrozenSettings):
    """Measures of one kind of set. `sizes` are the shares of sets with 0, 1, 2, ... outcomes."""

    promised: float
    overall: OutcomeSets
    by_outcome: tuple[OutcomeSets, ...]
    sizes: tuple[float, ...]
    fewest_calibration_cases: tuple[int, ...]


class ConformalMeasures(FrozenSettings):
    """Marginal and class-conditional sets. A kind with too few calibration cases is None; `withheld` has the reason."""

    alpha: float
    marginal: SetMeasures | None
    class_conditional: SetMeasures | None
    withheld: tuple[str, ...]


FitThresholds = Callable[..., ConformalThresholds]


def measure_sets(predictions: OutOfFoldPredictions, alpha: float, settings: BootstrapSettings) -> ConformalMeasures:
    """Coverage and size of the cross-conformal sets. See docs/method.md (K6)."""
    cases = _calibration_cases(predictions)
    withheld = []
    measured: dict[str, SetMeasures | None] = {}
    for name, fit in (("marginal", fit_marginal), ("class-conditional", fit_class_conditional)):
        try:
            sets = predict_cross_conformal(predictions, fit, alpha)
        except TooFewCalibrationCasesError:
            measured[name] = None
            withheld.append(_explain(name, predictions, cases, alpha))
        else:
            measured[name] = _measure(predictions, sets, alpha, cases, settings)
    return ConformalMeasures(
        alpha=alpha,
        marginal=measured["marginal"],
        class_conditional=measured["class-conditional"],
        withheld=tuple(withheld),
    )


def predict_cross_conformal(
    predictions: OutOfFoldPredictions, fit: FitThresholds, alpha: float
) -> Bool[np.ndarray, "repeat document outcome"]:
    """The set of each document, with thresholds fitted on the other folds of its repeat.

    Raises TooFewCalibrationCasesError when the other folds have too few cases for `fit`.

    See docs/method.md (K6).
    """
    sets = np.zeros(predictions.probabilities.shape, dtype=bool)
    for repeat, (probabilities, fold_of) in enumerate(zip(predictions.probabilities, predictions.fold_of, strict=True)):
        for fold in np.unique(fold_of):
            tested = fold_of == fold
            fitted = fit(probabilities[~tested], predictions.labels[~tested], predictions.outcomes, alpha=alpha)
            sets[repeat, tested] = predict_sets(fitted, probabilities[tested])
    return sets


def _calibration_cases(predictions: OutOfFoldPredictions) -> tuple[int, ...]:
    """The smallest number of calibration cases of each outcome over the folds."""
    return tuple(
        min(
            int((predictions.labels[fold_of != fold] == index).sum())
            for fold_of in predictions.fold_of
            for fold in np.unique(fold_of)
        )
        for index in range(len(predictions.outcomes))
    )


def _explain(name: str, predictions: OutOfFoldPredictions, cases: tuple[int, ...], alpha: float) -> str:
    counted = ", ".join(f"{outcome} {count}" for outcome, count in zip(predictions.outcomes, cases, strict=True))
    return (
        f"No {name} sets at alpha {alpha:g}: they need {fewest_cases(alpha)} calibration cases, "
        f"and the fewest in any fold were {counted}."
    )


def _measure(
    predictions: OutOfFoldPredictions,
    sets: Bool[np.ndarray, "repeat document outcome"],
    alpha: float,
    cases: tuple[int, ...],
    settings: BootstrapSettings,
) -> SetMeasures:
    known = predictions.labels >= 0
    # -1 would take the last outcome; `columns` is 0 for these documents.
    held = np.take_along_axis(sets, np.where(known, predictions.labels, 0)[None, :, None], axis=2)[:, :, 0]
    size = sets.sum(axis=2)
    groups = np.column_stack([known, *(predictions.labels == index for index in range(len(predictions.outcomes)))])
    columns: Float[np.ndarray, "document group"] = groups.astype(np.float64)
    coverages = family_shares(columns * held.mean(axis=0)[:, None], columns, predictions.families, settings)
    sizes = family_ratios(columns * size.mean(axis=0)[:, None], columns, predictions.families, settings)
    overall, *by_outcome = (
        OutcomeSets(outcome=name, cases=int(column.sum()), coverage=coverage, size=mean_size)
        for name, column, coverage, mean_size in zip(
            ("all", *predictions.outcomes), groups.T, coverages, sizes, strict=True
        )
    )
    counted = np.bincount(size[:, known].ravel(), minlength=len(predictions.outcomes) + 1)
    return SetMeasures(
        promised=1 - alpha,
        overall=overall,
        by_outcome=tuple(by_outcome),
        sizes=tuple((counted / max(counted.sum(), 1)).tolist()),
        fewest_calibration_cases=cases,
    )
