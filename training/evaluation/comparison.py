"""HILBERT beside every other arm and beside what age, sex, duration and noise alone predict, on the same resamples."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from model.config import Settings
from training.evaluation.baseline import BaselineSettings, compare_with_baseline, predict_baseline
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_interval, paired_difference
from training.evaluation.evidence import ArmEvidence, Evidence
from training.evaluation.out_of_fold import OutOfFold, brier_of, gather, log_loss_of, macro_auroc_of

COVARIATES = "covariates"


class ArmMeasures(Settings):
    """One model of the line-up; `chosen` counts the folds that took each candidate."""

    name: str
    title: str
    macro_auroc: Interval
    log_loss: Interval
    brier: Interval
    candidates: int
    chosen: Mapping[str, int]
    seconds: float


class Comparison(Settings):
    """The first arm less another: macro AUROC (above 0 is better) and log loss (below 0 is better).

    `shown` is what the macro AUROC's interval shows; comparisons are not adjusted for being several.
    """

    name: str
    title: str
    macro_auroc: Interval
    log_loss: Interval
    shown: Literal["better", "worse", "neither"]


class LineUp(Settings):
    """All arms, the covariates' baseline last, and the first arm against each other one."""

    arms: tuple[ArmMeasures, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contestant:
    """An arm's risks and its budget."""

    name: str
    title: str
    found: OutOfFold
    candidates: int
    chosen: tuple[str, ...]
    seconds: float


def measure_line_up(evidence: Evidence, baseline: BaselineSettings, bootstrap: BootstrapSettings) -> LineUp:
    """Fits the covariates' baseline on the same folds and compares the first arm with everything else."""
    contestants = [*(_enter(arm) for arm in evidence.arms), _fit_covariates(evidence, baseline)]
    first, *others = contestants
    return LineUp(
        arms=tuple(_measure(one, bootstrap) for one in contestants),
        comparisons=tuple(_compare(first, other, bootstrap) for other in others),
    )


def _enter(arm: ArmEvidence) -> _Contestant:
    return _Contestant(
        name=arm.name,
        title=arm.title,
        found=arm.found,
        candidates=arm.candidates,
        chosen=arm.chosen,
        seconds=arm.seconds,
    )


def _fit_covariates(evidence: Evidence, settings: BaselineSettings) -> _Contestant:
    start = time.perf_counter()
    predicted = predict_baseline(evidence.covariates, evidence.labels, evidence.outcomes, evidence.folds, settings)
    return _Contestant(
        name=COVARIATES,
        title="Age, sex, duration, noise",
        found=gather(evidence.folds, predicted, evidence.families, evidence.labels, evidence.outcomes),
        candidates=len(settings.strengths),
        chosen=(),
        seconds=time.perf_counter() - start,
    )


def _measure(one: _Contestant, settings: BootstrapSettings) -> ArmMeasures:
    families = one.found.families
    return ArmMeasures(
        name=one.name,
        title=one.title,
        macro_auroc=family_interval(macro_auroc_of(one.found), families, settings),
        log_loss=family_interval(log_loss_of(one.found), families, settings),
        brier=family_interval(brier_of(one.found), families, settings),
        candidates=one.candidates,
        chosen=dict(Counter(one.chosen).most_common()),
        seconds=one.seconds,
    )


def _compare(first: _Contestant, other: _Contestant, settings: BootstrapSettings) -> Comparison:
    gained = compare_with_baseline(first.found, other.found, settings)
    high = gained.interval.high
    losses = paired_difference(
        log_loss_of(first.found), log_loss_of(other.found), first.found.families, settings
    ).interval
    return Comparison(
        name=other.name,
        title=other.title,
        macro_auroc=gained.interval,
        log_loss=losses,
        shown="better" if gained.larger else "worse" if high is not None and high < 0 else "neither",
    )
