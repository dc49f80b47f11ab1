"""What the risks decide: one outcome for each document, yes or no for each outcome, and whether acting on it helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from model.config import Settings
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_interval, family_ratios, family_shares
from training.evaluation.evidence import ArmEvidence
from training.evaluation.out_of_fold import OutOfFold, mean_ratio_of

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


class ArgmaxDecisions(Settings):
    """Each document decided to be its likeliest outcome.

    `counts` has a row for each outcome and a column for each decision, summed over `repeats`.
    """

    outcomes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    repeats: int
    recalls: tuple[Interval, ...]
    balanced_accuracy: Interval


class ThresholdDecision(Settings):
    """One outcome against the rest, at thresholds that the inner folds chose for the best balanced accuracy."""

    outcome: str
    cases: int
    others: int
    threshold_mean: float
    threshold_least: float
    threshold_largest: float
    sensitivity: Interval
    specificity: Interval
    precision: Interval
    balanced_accuracy: Interval


class BenefitPoint(Settings):
    """Net benefit a document when acting from this risk on; treating nobody has 0."""

    threshold: float
    model: Interval
    treat_all: float


class BenefitCurve(Settings):
    """One outcome's net benefit, mean over repeats; `useful` are the thresholds where the model beats all and none."""

    outcome: str
    cases: int
    documents: int
    useful: tuple[float, ...]
    useful_thresholds: int
    points: tuple[BenefitPoint, ...]


class Decisions(Settings):
    """Decisions by the likeliest outcome, by thresholds, and their worth."""

    argmax: ArgmaxDecisions
    at_thresholds: tuple[ThresholdDecision, ...]
    curves: tuple[BenefitCurve, ...]


def measure_decisions(arm: ArmEvidence, settings: BootstrapSettings) -> Decisions:
    """All decisions of an arm; thresholds were set on the inner folds, before these documents were seen."""
    outcomes = range(len(arm.found.outcomes))
    return Decisions(
        argmax=_decide_by_argmax(arm.found, settings),
        at_thresholds=tuple(_decide_by_threshold(arm, index, settings) for index in outcomes),
        curves=tuple(_net_benefit(arm.found, index, settings) for index in outcomes),
    )


def _decide_by_argmax(found: OutOfFold, settings: BootstrapSettings) -> ArgmaxDecisions:
    size = len(found.outcomes)
    known = found.labels >= 0
    truth = np.eye(size)[np.where(known, found.labels, 0)] * known[:, None]
    decided = np.eye(size)[found.probabilities.argmax(axis=2)].sum(axis=0)
    repeats = len(found.probabilities)
    hits = truth * decided / repeats
    return ArgmaxDecisions(
        outcomes=found.outcomes,
        counts=tuple(tuple(int(count) for count in row) for row in (truth.T @ decided).tolist()),
        repeats=repeats,
        recalls=family_shares(hits, truth, found.families, settings),
        balanced_accuracy=family_interval(mean_ratio_of(hits, truth), found.families, settings),
    )


def _decide_by_threshold(arm: ArmEvidence, index: int, settings: BootstrapSettings) -> ThresholdDecision:
    found = arm.found
    flagged = _flag(arm, index).mean(axis=0)
    is_case = (found.labels == index).astype(np.float64)
    is_other = (found.labels >= 0) - is_case
    hits = np.column_stack([flagged * is_case, (1 - flagged) * is_other])
    sides = np.column_stack([is_case, is_other])
    sensitivity, specificity, precision = family_shares(
        np.column_stack([hits, flagged * is_case]),
        np.column_stack([sides, flagged * (is_case + is_other)]),
        found.families,
        settings,
    )
    chosen = arm.thresholds[:, :, index]
    return ThresholdDecision(
        outcome=found.outcomes[index],
        cases=int(is_case.sum()),
        others=int(is_other.sum()),
        threshold_mean=float(chosen.mean()),
        threshold_least=float(chosen.min()),
        threshold_largest=float(chosen.max()),
        sensitivity=sensitivity,
        specificity=specificity,
        precision=precision,
        balanced_accuracy=family_interval(mean_ratio_of(hits, sides), found.families, settings),
    )


def _flag(arm: ArmEvidence, index: int) -> Bool[np.ndarray, "repeat document"]:
    """Whether the risk reaches the threshold of the fold that tested the document."""
    thresholds: Float[np.ndarray, "repeat document"] = np.take_along_axis(
        arm.thresholds[:, :, index], arm.found.fold_of, axis=1
    )
    return np.asarray(arm.found.probabilities[:, :, index] >= thresholds)


def _net_benefit(found: OutOfFold, index: int, settings: BootstrapSettings) -> BenefitCurve:
    """Net benefit is a mean over documents: 1 for a case acted on, minus the odds for another, 0 for the rest."""
    known = found.labels >= 0
    is_case, is_other = found.labels == index, known & (found.labels != index)
    thresholds = np.array(THRESHOLDS)
    acted = (found.probabilities[:, :, index, None] >= thresholds).mean(axis=0)
    odds = thresholds / (1 - thresholds)
    models = family_ratios(
        acted * (is_case[:, None] - is_other[:, None] * odds),
        np.repeat(known[:, None], len(thresholds), axis=1).astype(np.float64),
        found.families,
        settings,
    )
    everybody = np.ones(int(known.sum()))
    points = tuple(
        BenefitPoint(threshold=threshold, model=model, treat_all=net_benefit(everybody, is_case[known], threshold))
        for threshold, model in zip(THRESHOLDS, models, strict=True)
    )
    useful = tuple(
        one.threshold for one in points if one.model.value is not None and one.model.value > max(one.treat_all, 0.0)
    )
    return BenefitCurve(
        outcome=found.outcomes[index],
        cases=int(is_case.sum()),
        documents=int(known.sum()),
        useful=useful,
        useful_thresholds=len(useful),
        points=points,
    )
