"""Predictions for documents by networks that never saw their families, once for each repeat of the folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from training.evaluation.bootstrap import Metric
from training.folds import OuterFold
from training.metrics import MacroAuroc, brier, log_loss, macro_auroc

Measure = Callable[[Float[np.ndarray, "document outcome"], Int[np.ndarray, " document"]], float | None]
"""A number for probabilities and labels; None or NaN when it is undefined for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Probabilities of the documents that took part; `rows` says which rows of the cohort they are, in this order."""

    rows: tuple[int, ...]
    families: tuple[str, ...]
    outcomes: tuple[str, ...]
    labels: Int[np.ndarray, " document"]
    probabilities: Float[np.ndarray, "repeat document outcome"]
    fold_of: Int[np.ndarray, "repeat document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldAuroc:
    """What one fold's test part shows."""

    repeat: int
    number: int
    measured: MacroAuroc


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldAurocs:
    """All folds; `mean` and `spread` (standard deviation) are over folds with every outcome defined.

    The spread is not a standard error: folds share most of their training documents. Intervals come from
    `training.evaluation.bootstrap`.
    """

    mean: float | None
    spread: float | None
    by_fold: tuple[FoldAuroc, ...]

    @property
    def undefined_folds(self) -> int:
        """Folds left out of the mean."""
        return sum(one.measured.undefined > 0 for one in self.by_fold)

    @property
    def undefined_aurocs(self) -> int:
        """Outcomes that could not be measured, over all folds."""
        return sum(one.measured.undefined for one in self.by_fold)


def gather(
    folds: Sequence[OuterFold],
    predictions: Sequence[Float[np.ndarray, "_ outcome"]],
    families: Sequence[str],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
) -> OutOfFold:
    """Puts each fold's test predictions in their places; `families` and `labels` are the whole cohort's.

    Raises ValueError when a document is not tested exactly once in every repeat.
    """
    repeats = 1 + max(fold.repeat for fold in folds)
    rows = np.array(sorted({row for fold in folds for row in fold.test}), dtype=np.int64)
    probabilities = np.full((repeats, len(rows), len(outcomes)), np.nan)
    fold_of = np.full((repeats, len(rows)), -1, dtype=np.int64)
    for fold, predicted in zip(folds, predictions, strict=True):
        places = np.searchsorted(rows, fold.test)
        if (fold_of[fold.repeat, places] >= 0).any():
            raise ValueError("a document is tested twice in one repeat: draw the folds again")
        probabilities[fold.repeat, places] = predicted
        fold_of[fold.repeat, places] = fold.number
    if (fold_of < 0).any():
        raise ValueError("a document is not tested in every repeat: pass the folds of all repeats")
    return OutOfFold(
        rows=tuple(rows.tolist()),
        families=tuple(families[row] for row in rows),
        outcomes=tuple(outcomes),
        labels=np.asarray(labels)[rows],
        probabilities=probabilities,
        fold_of=fold_of,
    )


def measure_folds(found: OutOfFold) -> FoldAurocs:
    """Macro AUROC of each fold by itself; what is undefined is counted."""
    by_fold = tuple(
        FoldAuroc(
            repeat=repeat,
            number=int(number),
            measured=macro_auroc(found.probabilities[repeat, tested], found.labels[tested], found.outcomes),
        )
        for repeat, fold_of in enumerate(found.fold_of)
        for number in np.unique(fold_of)
        for tested in (fold_of == number,)
    )
    complete = [one.measured.complete for one in by_fold]
    defined = [value for value in complete if value is not None]
    return FoldAurocs(
        mean=float(np.mean(defined)) if defined else None,
        spread=float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        by_fold=by_fold,
    )


def over_repeats(found: OutOfFold, measure: Measure) -> Metric:
    """The mean over repeats of a measure on a repeat's pooled predictions, for the bootstrap to resample.

    Undefined when it is so in any repeat.
    """

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        labels = found.labels[rows]
        values = [measure(probabilities[rows], labels) for probabilities in found.probabilities]
        defined = [value for value in values if value is not None]
        return float(np.mean(defined)) if len(defined) == len(values) else None

    return metric


def macro_auroc_of(found: OutOfFold) -> Metric:
    """Macro AUROC over all outcomes; undefined for rows that lack one of them."""
    return over_repeats(
        found, lambda probabilities, labels: macro_auroc(probabilities, labels, found.outcomes).complete
    )


def log_loss_of(found: OutOfFold) -> Metric:
    """Log loss in nats."""
    return over_repeats(found, log_loss)


def brier_of(found: OutOfFold) -> Metric:
    """The Brier score, summed over outcomes."""
    return over_repeats(found, lambda probabilities, labels: brier(probabilities, labels, found.outcomes).value)
