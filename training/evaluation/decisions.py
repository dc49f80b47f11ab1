"""Decisions from risks: the most probable outcome, thresholds for each outcome, and decision curves."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from model.config import FrozenSettings
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_interval, family_ratios, family_shares
from training.evaluation.evidence import ArmEvidence
from training.evaluation.out_of_fold import OutOfFoldPredictions, mean_ratio_of

THRESHOLDS = tuple(round(step / 100, 2) for step in range(1, 51))
"""Thresholds of the decision curves: risks of 1 to 50 %."""


def choose_threshold(risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]) -> float:
    """The threshold with the best balanced accuracy (Youden 1950), midway between two neighbouring risks.

    Pass predictions of inner folds only: a threshold that is measured on the documents it was chosen on is biased.
    The lowest of equally good thresholds is returned, because it misses the fewest cases. Raises ValueError without
    cases or without other documents.

    See docs/method.md (E10).
    """
    if is_case.all() or not is_case.any():
        raise ValueError("a threshold needs cases and others to choose by: use larger inner folds")
    levels = np.unique(risks)
    position = np.searchsorted(levels, risks)
    sensitivity = _share_from(position[is_case], len(levels))
    false_positive_rate = _share_from(position[~is_case], len(levels))
    # Rounded, so that thresholds that differ by float noise tie, and the lowest of them is taken.
    best = int(np.argmax(np.round(sensitivity - false_positive_rate, 12)))
    below = levels[best - 1] if best else levels[0]
    return float((levels[best] + below) / 2)


def net_benefit(
    risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"], threshold: float
) -> float:
    """Net benefit TP / n - FP / n * t / (1 - t) of acting on risks of at least t (Vickers and Elkin 2006).

    Raises ValueError without documents, or when the threshold is not between 0 and 1.

    See docs/method.md (E12).
    """
    if not 0 < threshold < 1:
        raise ValueError("a threshold of a decision curve lies between 0 and 1")
    if not len(risks):
        raise ValueError("a decision curve needs labelled documents, and there are none")
    treated = risks >= threshold
    true_positives, false_positives = (treated & is_case).mean(), (treated & ~is_case).mean()
    return float(true_positives - false_positives * threshold / (1 - threshold))


class ArgmaxDecisions(FrozenSettings):
    """Decisions for the most probable outcome.

    `counts` is the confusion matrix, one row per outcome and one column per decision, summed over `repeats`.
    """

    outcomes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    repeats: int
    recalls: tuple[Interval, ...]
    balanced_accuracy: Interval


class ThresholdDecision(FrozenSettings):
    """One outcome against the rest, at the thresholds that the inner folds chose by balanced accuracy."""

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


class BenefitPoint(FrozenSettings):
    """Net benefit per document of acting on risks of at least `threshold`; acting on nobody has net benefit 0."""

    threshold: float
    model: Interval
    treat_all: float


class BenefitCurve(FrozenSettings):
    """The decision curve of an outcome, mean over repeats.

    `useful` lists the thresholds at which the model has more net benefit than acting on everybody and on nobody.
    """

    outcome: str
    cases: int
    documents: int
    useful: tuple[float, ...]
    useful_thresholds: int
    points: tuple[BenefitPoint, ...]


class DecisionMeasures(FrozenSettings):
    """Decisions by the most probable outcome, decisions by thresholds, and decision curves."""

    argmax: ArgmaxDecisions
    at_thresholds: tuple[ThresholdDecision, ...]
    curves: tuple[BenefitCurve, ...]


def measure_decisions(arm: ArmEvidence, settings: BootstrapSettings) -> DecisionMeasures:
    """All decisions of an arm. The thresholds come from the inner folds, which do not hold the test documents.

    See docs/method.md (E11, E12).
    """
    outcomes = range(len(arm.predictions.outcomes))
    return DecisionMeasures(
        argmax=_decide_by_argmax(arm.predictions, settings),
        at_thresholds=tuple(_decide_by_threshold(arm, index, settings) for index in outcomes),
        curves=tuple(_net_benefit(arm.predictions, index, settings) for index in outcomes),
    )


def _decide_by_argmax(predictions: OutOfFoldPredictions, settings: BootstrapSettings) -> ArgmaxDecisions:
    size = len(predictions.outcomes)
    known = predictions.labels >= 0
    # -1 would select the last outcome, so a missing label takes row 0 and is then set to zero.
    truth = np.eye(size)[np.where(known, predictions.labels, 0)] * known[:, None]
    decided = np.eye(size)[predictions.probabilities.argmax(axis=2)].sum(axis=0)
    repeats = len(predictions.probabilities)
    hits = truth * decided / repeats
    return ArgmaxDecisions(
        outcomes=predictions.outcomes,
        counts=tuple(tuple(int(count) for count in row) for row in (truth.T @ decided).tolist()),
        repeats=repeats,
        recalls=family_shares(hits, truth, predictions.families, settings),
        balanced_accuracy=family_interval(mean_ratio_of(hits, truth), predictions.families, settings),
    )


def _decide_by_threshold(arm: ArmEvidence, index: int, settings: BootstrapSettings) -> ThresholdDecision:
    predictions = arm.predictions
    # The share of repeats that flag a document, so that repeats do not count as further documents.
    flagged = _flag(arm, index).mean(axis=0)
    is_case = (predictions.labels == index).astype(np.float64)
    is_other = (predictions.labels >= 0) - is_case
    hits = np.column_stack([flagged * is_case, (1 - flagged) * is_other])
    sides = np.column_stack([is_case, is_other])
    sensitivity, specificity, precision = family_shares(
        np.column_stack([hits, flagged * is_case]),
        np.column_stack([sides, flagged * (is_case + is_other)]),
        predictions.families,
        settings,
    )
    chosen = arm.thresholds[:, :, index]
    return ThresholdDecision(
        outcome=predictions.outcomes[index],
        cases=int(is_case.sum()),
        others=int(is_other.sum()),
        threshold_mean=float(chosen.mean()),
        threshold_least=float(chosen.min()),
        threshold_largest=float(chosen.max()),
        sensitivity=sensitivity,
        specificity=specificity,
        precision=precision,
        balanced_accuracy=family_interval(mean_ratio_of(hits, sides), predictions.families, settings),
    )


def _flag(arm: ArmEvidence, index: int) -> Bool[np.ndarray, "repeat document"]:
    """Whether the risk of each document reaches the threshold of the fold that tests it."""
    thresholds: Float[np.ndarray, "repeat document"] = np.take_along_axis(
        arm.thresholds[:, :, index], arm.predictions.fold_of, axis=1
    )
    return np.asarray(arm.predictions.probabilities[:, :, index] >= thresholds)


def _net_benefit(predictions: OutOfFoldPredictions, index: int, settings: BootstrapSettings) -> BenefitCurve:
    """Net benefit as a mean over documents: 1 for a true positive, minus the odds for a false positive, else 0."""
    known = predictions.labels >= 0
    is_case, is_other = predictions.labels == index, known & (predictions.labels != index)
    thresholds = np.array(THRESHOLDS)
    acted = (predictions.probabilities[:, :, index, None] >= thresholds).mean(axis=0)
    odds = thresholds / (1 - thresholds)
    models = family_ratios(
        acted * (is_case[:, None] - is_other[:, None] * odds),
        np.repeat(known[:, None], len(thresholds), axis=1).astype(np.float64),
        predictions.families,
        settings,
    )
    everybody = np.ones(int(known.sum()))
    points = tuple(
        BenefitPoint(threshold=threshold, model=model, treat_all=net_benefit(everybody, is_case[known], threshold))
        for threshold, model in zip(THRESHOLDS, models, strict=True)
    )
    useful = tuple(
        point.threshold
        for point in points
        if point.model.value is not None and point.model.value > max(point.treat_all, 0.0)
    )
    return BenefitCurve(
        outcome=predictions.outcomes[index],
        cases=int(is_case.sum()),
        documents=int(known.sum()),
        useful=useful,
        useful_thresholds=len(useful),
        points=points,
    )


def _share_from(position: np.ndarray, levels: int) -> Float[np.ndarray, " level"]:
    """Share of the documents at each level or above."""
    counted = np.bincount(position, minlength=levels)
    return np.asarray(counted[::-1].cumsum()[::-1] / len(position))
