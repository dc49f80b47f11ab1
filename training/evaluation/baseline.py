"""The covariate baseline: logistic regression on age, sex, duration and signal-to-noise ratio.

A model that does not beat it has not shown any use of voice or words. The ridge penalty is chosen on the inner folds by
log loss.
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
    """Regularisation of the covariate baseline."""

    strengths: tuple[float, ...] = Field(
        default=(0.001, 0.01, 0.1, 1.0, 10.0), min_length=1, description="inverse ridge penalties to choose from"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """Covariates of recordings: age in years, sex, duration in seconds, signal-to-noise ratio in dB.

    Unknown values are NaN, or an empty string for sex.
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
    """Probabilities for the test rows of each fold, from a baseline fitted on its training rows.

    Imputation by the median and standardisation also use the training rows only.

    See docs/method.md (B3).
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
    """The difference in macro AUROC of a model and its baseline.

    Raises ValueError when the two were not measured on the same documents.

    See docs/method.md (B3).
    """
    if predictions.rows != baseline.rows:
        raise ValueError("the model and its baseline were measured on different documents: use the same folds for both")
    return paired_difference(macro_auroc_of(predictions), macro_auroc_of(baseline), predictions.families, settings)


def _choose_strength(
    table: Float[np.ndarray, "document column"],
    labels: Int[np.ndarray, " document"],
    outcomes: int,
    fold: OuterFold,
    settings: BaselineSettings,
) -> float:
    """The strength with the lowest mean inner log loss; the strongest penalty among equals."""

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
        # A ridge penalty depends on the units of the columns.
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=1000),
    )
    return model.fit(table[known], labels[known])


def _predict(
    model: Pipeline, table: Float[np.ndarray, "document column"], outcomes: int
) -> Float[np.ndarray, "document outcome"]:
    # `classes_` has the outcomes of the training rows only; an outcome without one has probability 0.
    probabilities = np.zeros((len(table), outcomes))
    probabilities[:, model.classes_] = model.predict_proba(table)
    return probabilities


def _tabulate(covariates: Covariates) -> Float[np.ndarray, "document column"]:
    """One column per number and one per sex; durations are log-transformed, because they are skewed."""
    sexes = sorted(set(covariates.sex) - {""})
    indicators = [[float(value == sex) for value in covariates.sex] for sex in sexes]
    return np.column_stack([covariates.age, np.log1p(covariates.duration), covariates.noise_ratio, *indicators])
