"""Comparison of HILBERT with the other arms and with the covariate baseline, on the same resamples."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from model.config import FrozenSettings
from training.evaluation.baseline import BaselineSettings, compare_with_baseline, predict_baseline
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_interval, paired_difference
from training.evaluation.evidence import ArmEvidence, Evidence
from training.evaluation.out_of_fold import (
    OutOfFoldPredictions,
    brier_of,
    gather_predictions,
    log_loss_of,
    macro_auroc_of,
)

COVARIATES = "covariates"


class ArmMeasures(FrozenSettings):
    """One model of the comparison; `chosen` counts the folds that selected each candidate."""

    name: str
    title: str
    macro_auroc: Interval
    log_loss: Interval
    brier: Interval
    candidates: int
    chosen: Mapping[str, int]
    seconds: float


class ArmComparison(FrozenSettings):
    """The first arm minus another: macro AUROC (above 0 is better) and log loss (below 0 is better).

    `shown` states what the interval of the macro AUROC shows. There is no adjustment for multiple comparisons.
    """

    name: str
    title: str
    macro_auroc: Interval
    log_loss: Interval
    shown: Literal["better", "worse", "neither"]


class ModelComparison(FrozenSettings):
    """All arms, the covariate baseline last, and the comparisons of the first arm with each other arm."""

    arms: tuple[ArmMeasures, ...]
    comparisons: tuple[ArmComparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ComparedModel:
    """The predictions of a model and its compute cost."""

    name: str
    title: str
    predictions: OutOfFoldPredictions
    candidates: int
    chosen: tuple[str, ...]
    seconds: float


def compare_models(evidence: Evidence, baseline: BaselineSettings, bootstrap: BootstrapSettings) -> ModelComparison:
    """Fit the covariate baseline on the same folds, and compare the first arm with all other models.

    See docs/method.md (E14).
    """
    models = [*(_from_arm(arm) for arm in evidence.arms), _fit_covariates(evidence, baseline)]
    first, *others = models
    return ModelComparison(
        arms=tuple(_measure(model, bootstrap) for model in models),
        comparisons=tuple(_compare(first, other, bootstrap) for other in others),
    )


def _from_arm(arm: ArmEvidence) -> _ComparedModel:
    return _ComparedModel(
        name=arm.name,
        title=arm.title,
        predictions=arm.predictions,
        candidates=arm.candidates,
        chosen=arm.chosen,
        seconds=arm.seconds,
    )


def _fit_covariates(evidence: Evidence, settings: BaselineSettings) -> _ComparedModel:
    start = time.perf_counter()
    predicted = predict_baseline(evidence.covariates, evidence.labels, evidence.outcomes, evidence.folds, settings)
    return _ComparedModel(
        name=COVARIATES,
        title="Age, sex, duration, noise",
        predictions=gather_predictions(
            evidence.folds, predicted, evidence.families, evidence.labels, evidence.outcomes
        ),
        candidates=len(settings.strengths),
        chosen=(),
        seconds=time.perf_counter() - start,
    )


def _measure(model: _ComparedModel, settings: BootstrapSettings) -> ArmMeasures:
    families = model.predictions.families
    return ArmMeasures(
        name=model.name,
        title=model.title,
        macro_auroc=family_interval(macro_auroc_of(model.predictions), families, settings),
        log_loss=family_interval(log_loss_of(model.predictions), families, settings),
        brier=family_interval(brier_of(model.predictions), families, settings),
        candidates=model.candidates,
        chosen=dict(Counter(model.chosen).most_common()),
        seconds=model.seconds,
    )


def _compare(first: _ComparedModel, other: _ComparedModel, settings: BootstrapSettings) -> ArmComparison:
    gained = compare_with_baseline(first.predictions, other.predictions, settings)
    high = gained.interval.high
    losses = paired_difference(
        log_loss_of(first.predictions), log_loss_of(other.predictions), first.predictions.families, settings
    ).interval
    return ArmComparison(
        name=other.name,
        title=other.title,
        macro_auroc=gained.interval,
        log_loss=losses,
        shown="better" if gained.larger else "worse" if high is not None and high < 0 else "neither",
    )
