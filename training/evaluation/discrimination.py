"""Discrimination: areas under the ROC and the precision-recall curve, with intervals and counts."""

from __future__ import annotations

from model.config import FrozenSettings
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_interval
from training.evaluation.out_of_fold import (
    FoldAuroc,
    OutOfFoldPredictions,
    auroc_of,
    average_precision_of,
    macro_auroc_of,
    measure_folds,
)


class OutcomeDiscrimination(FrozenSettings):
    """One outcome against the rest. Chance has an AUROC of .5 and an average precision equal to the prevalence."""

    outcome: str
    cases: int
    others: int
    prevalence: float
    auroc: Interval
    average_precision: Interval


class FoldSummary(FrozenSettings):
    """Macro AUROC of the test part of each fold; mean and spread (standard deviation) over `defined_folds`.

    The spread is not a standard error, because folds share most of their training documents.
    """

    mean: float | None
    spread: float | None
    folds: int
    defined_folds: int
    undefined_aurocs: int
    by_fold: tuple[FoldAuroc, ...]


class Discrimination(FrozenSettings):
    """Macro AUROC and measures by outcome: means over repeats of the pooled predictions of a repeat."""

    macro_auroc: Interval
    by_outcome: tuple[OutcomeDiscrimination, ...]
    folds: FoldSummary


def measure_discrimination(predictions: OutOfFoldPredictions, settings: BootstrapSettings) -> Discrimination:
    """Macro AUROC, and AUROC and average precision of each outcome."""
    return Discrimination(
        macro_auroc=family_interval(macro_auroc_of(predictions), predictions.families, settings),
        by_outcome=tuple(_measure_outcome(predictions, index, settings) for index in range(len(predictions.outcomes))),
        folds=_summarise_folds(predictions),
    )


def _measure_outcome(
    predictions: OutOfFoldPredictions, index: int, settings: BootstrapSettings
) -> OutcomeDiscrimination:
    known = predictions.labels >= 0
    cases = int((predictions.labels == index).sum())
    return OutcomeDiscrimination(
        outcome=predictions.outcomes[index],
        cases=cases,
        others=int(known.sum()) - cases,
        prevalence=cases / max(int(known.sum()), 1),
        auroc=family_interval(auroc_of(predictions, index), predictions.families, settings),
        average_precision=family_interval(average_precision_of(predictions, index), predictions.families, settings),
    )


def _summarise_folds(predictions: OutOfFoldPredictions) -> FoldSummary:
    measured = measure_folds(predictions)
    return FoldSummary(
        mean=measured.mean,
        spread=measured.spread,
        folds=len(measured.by_fold),
        defined_folds=len(measured.by_fold) - measured.undefined_folds,
        undefined_aurocs=measured.undefined_aurocs,
        by_fold=measured.by_fold,
    )
