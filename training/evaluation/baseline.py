"""What age, sex, duration and background noise alone predict: a model that does not beat this has learnt nothing else.

A logistic regression with a ridge penalty, its strength chosen on the inner folds by log loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from model.config import FrozenSettings
from training.evaluation.bootstrap import BootstrapSettings, PairedDifference, paired_difference
from training.evaluation.metrics import log_loss
from training.evaluation.out_of_fold import OutOfFoldPredictions, macro_auroc_of
from training.folds.nested import OuterFold


class BaselineSettings(FrozenSettings):
    """How freely the baseline may fit."""

    strengths: tuple[float, ...] = Field(
        default=(0.001, 0.01, 0.1, 1.0, 10.0), min_length=1, description="inverse ridge penalties to choose from"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """What is known of a recording without listening to what is said; NaN or an empty sex where unknown.

    Age in years, duration of the recording in seconds, signal-to-noise ratio in decibels.
    """

    age: Float[np.ndarray, " document"]
    sex: tuple[str, ...]
    duration: Float[np.ndarray, " document"]
    noise_ratio: Float[np.ndarray, " document"]


def predict_baseline(
    covariates: Covariates,
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
    folds: Sequence[OuterFold],
    settings: BaselineSettings,
) -> tuple[Float[np.ndarray, "_ outcome"], ...]:
    """Probabilities for each fold's test rows, from a baseline fitted on its training rows alone.

    Medians for what is unknown, and the scale of each covariate, are of the training rows too.
    """
    table = _tabulate(covariates)
    return tuple(
        _predict(
            _fit(table, labels, fold.train, _choose_strength(table, labels, len(outcomes), fold, settings)),
            table[list(fold.test)],
            len(outcomes),
        )
        for fold in folds
    )


def compare_with_baseline(
    predictions: OutOfFoldPredictions, baseline: OutOfFoldPredictions, settings: BootstrapSettings
) -> PairedDifference:
    """Macro AUROC of the model less the baseline's; the model must be `larger`.

    Raises ValueError when the two were not measured on the same documents.
    """
    if predictions.rows != baseline.rows:
        raise ValueError("the model and its baseline were measured on different documents: give both the same folds")
    return paired_difference(macro_auroc_of(predictions), macro_auroc_of(baseline), predictions.families, settings)


def _choose_strength(
    table: Float[np.ndarray, "document column"],
    labels: Int[np.ndarray, " document"],
    outcomes: int,
    fold: OuterFold,
    settings: BaselineSettings,
) -> float:
    """The strength with the least mean inner log loss; of equals the most restrained."""

    def loss(strength: float) -> float:
        losses = []
        for split in fold.inner:
            validation = list(split.validation)
            predicted = _predict(_fit(table, labels, split.train, strength), table[validation], outcomes)
            losses.append(log_loss(predicted, labels[validation]))
        return float(np.mean(losses))

    return min(sorted(settings.strengths), key=loss)


def _fit(
    table: Float[np.ndarray, "document column"],
    labels: Int[np.ndarray, " document"],
    rows: Sequence[int],
    strength: float,
) -> Pipeline:
    known = [row for row in rows if labels[row] >= 0]
    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=1000),
    )
    return model.fit(table[known], labels[known])


def _predict(
    model: Pipeline, table: Float[np.ndarray, "document column"], outcomes: int
) -> Float[np.ndarray, "document outcome"]:
    probabilities = np.zeros((len(table), outcomes))
    probabilities[:, model.classes_] = model.predict_proba(table)
    return probabilities


def _tabulate(covariates: Covariates) -> Float[np.ndarray, "document column"]:
    """One column a number, one for each sex; durations in logarithms, for they are skewed."""
    sexes = sorted(set(covariates.sex) - {""})
    indicators = [[float(value == sex) for value in covariates.sex] for sex in sexes]
    return np.column_stack([covariates.age, np.log1p(covariates.duration), covariates.noise_ratio, *indicators])
