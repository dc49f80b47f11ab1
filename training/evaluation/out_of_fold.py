"""Out-of-fold predictions, one per document and repeat, and metrics on them for the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from training.evaluation.bootstrap import Metric
from training.evaluation.metrics import MacroAuroc, macro_auroc
from training.folds.nested import OuterFold

Measure = Callable[[Float[np.ndarray, "document outcome"], Int[np.ndarray, " document"]], float | None]
"""A measure of probabilities and labels; None or NaN where it is undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFoldPredictions:
    """Probabilities of documents by networks that did not see their families; `rows` are their rows in the cohort."""

    rows: tuple[int, ...]
    families: tuple[str, ...]
    outcomes: tuple[str, ...]
    labels: Int[np.ndarray, " document"]
    probabilities: Float[np.ndarray, "repeat document outcome"]
    fold_of: Int[np.ndarray, "repeat document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldAuroc:
    """The AUROC of the test part of a fold."""

    repeat: int
    number: int
    measured: MacroAuroc


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldAurocs:
    """The AUROC of all folds; `mean` and `spread` (standard deviation) over the folds with all outcomes defined.

    The spread is not a standard error, because folds share most of their training documents.
    """

    mean: float | None
    spread: float | None
    by_fold: tuple[FoldAuroc, ...]

    @property
    def undefined_folds(self) -> int:
        """Number of folds left out of the mean."""
        return sum(fold.measured.undefined > 0 for fold in self.by_fold)

    @property
    def undefined_aurocs(self) -> int:
        """Number of undefined AUROCs over all folds."""
        return sum(fold.measured.undefined for fold in self.by_fold)


def gather_predictions(
    folds: Sequence[OuterFold],
    predictions: Sequence[Float[np.ndarray, "_ outcome"]],
    families: Sequence[str],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
) -> OutOfFoldPredictions:
    """Collect the test predictions of all folds; `families` and `labels` are those of the whole cohort.

    Raises ValueError when a document is not tested exactly once in every repeat.

    See docs/method.md (E2).
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
    return OutOfFoldPredictions(
        rows=tuple(rows.tolist()),
        families=tuple(families[row] for row in rows),
        outcomes=tuple(outcomes),
        labels=np.asarray(labels)[rows],
        probabilities=probabilities,
        fold_of=fold_of,
    )


def measure_folds(predictions: OutOfFoldPredictions) -> FoldAurocs:
    """Macro AUROC of each fold, with the number of undefined ones. See docs/method.md (E2)."""
    by_fold = tuple(
        FoldAuroc(
            repeat=repeat,
            number=int(number),
            measured=macro_auroc(
                predictions.probabilities[repeat, tested], predictions.labels[tested], predictions.outcomes
            ),
        )
        for repeat, fold_of in enumerate(predictions.fold_of)
        for number in np.unique(fold_of)
        for tested in (fold_of == number,)
    )
    complete = [fold.measured.complete for fold in by_fold]
    defined = [value for value in complete if value is not None]
    return FoldAurocs(
        mean=float(np.mean(defined)) if defined else None,
        spread=float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        by_fold=by_fold,
    )


def over_repeats(predictions: OutOfFoldPredictions, measure: Measure) -> Metric:
    """The mean over repeats of a measure on the pooled predictions of a repeat; undefined if it is in any repeat.

    See docs/method.md (E2).
    """

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        labels = predictions.labels[rows]
        values = [measure(probabilities[rows], labels) for probabilities in predictions.probabilities]
        defined = [value for value in values if value is not None]
        return float(np.mean(defined)) if len(defined) == len(values) else None

    return metric


def mean_ratio_of(
    numerators: Float[np.ndarray, "document part"], denominators: Float[np.ndarray, "document part"]
) -> Metric:
    """The mean over parts of a ratio of sums over documents; undefined when a denominator is 0.

    One part gives a mean over documents; outcomes as parts give the balanced accuracy.
    """

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        below = denominators[rows].sum(axis=0)
        return float((numerators[rows].sum(axis=0) / below).mean()) if (below > 0).all() else None

    return metric


def auroc_of(predictions: OutOfFoldPredictions, outcome: int) -> Metric:
    """AUROC of an outcome (by index) against the rest; undefined for rows without cases or without others.

    The order of two documents is the same in every resample, so all pairs are compared once and averaged over repeats.
    A resample then weighs each pair by how often it was drawn.

    See docs/method.md (E3).
    """
    cases, others = _sides(predictions, outcome)
    wins = np.zeros((len(cases), len(others)))
    for probabilities in predictions.probabilities[:, :, outcome]:
        of_cases, of_others = probabilities[cases][:, None], probabilities[others][None]
        wins += (of_cases > of_others) + 0.5 * (of_cases == of_others)
    wins /= len(predictions.probabilities)

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        counts = np.bincount(rows, minlength=len(predictions.labels)).astype(np.float64)
        of_cases, of_others = counts[cases], counts[others]
        pairs = of_cases.sum() * of_others.sum()
        return float(of_cases @ wins @ of_others / pairs) if pairs else None

    return metric


def macro_auroc_of(predictions: OutOfFoldPredictions) -> Metric:
    """Macro AUROC over all outcomes; undefined for rows that lack one of them. See docs/method.md (E3)."""
    parts = [auroc_of(predictions, outcome) for outcome in range(len(predictions.outcomes))]

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        values = [part(rows) for part in parts]
        defined = [value for value in values if value is not None]
        return float(np.mean(defined)) if len(defined) == len(values) else None

    return metric


def average_precision_of(predictions: OutOfFoldPredictions, outcome: int) -> Metric:
    """Average precision of an outcome (by index); undefined for rows without a case. See docs/method.md (E4)."""
    known = np.flatnonzero(predictions.labels >= 0)
    is_case = predictions.labels[known] == outcome
    sorted_rows = []
    for risks in predictions.probabilities[:, known, outcome]:
        order = np.argsort(-risks, kind="stable")
        # Equal risks are one threshold: their order must not matter (E4).
        last_of_equals = np.append(np.flatnonzero(np.diff(risks[order])), len(order) - 1)
        sorted_rows.append((order, last_of_equals))

    def metric(rows: Int[np.ndarray, " drawn"]) -> float | None:
        counts = np.bincount(rows, minlength=len(predictions.labels))[known].astype(np.float64)
        cases = counts * is_case
        if not cases.sum():
            return None
        return float(np.mean([_average_precision(counts[order], cases[order], ends) for order, ends in sorted_rows]))

    return metric


def log_loss_of(predictions: OutOfFoldPredictions) -> Metric:
    """Log loss in nats. See docs/method.md (E5)."""
    known = predictions.labels >= 0
    # -1 would read the last outcome; `_mean_of_known` leaves these documents out.
    right = predictions.probabilities[:, np.arange(len(predictions.labels)), np.where(known, predictions.labels, 0)]
    losses = -np.log(np.clip(right, np.finfo(np.float64).tiny, None)).mean(axis=0)
    return _mean_of_known(losses, known)


def brier_of(predictions: OutOfFoldPredictions) -> Metric:
    """The Brier score, summed over outcomes. See docs/method.md (E6)."""
    known = predictions.labels >= 0
    hits = np.eye(len(predictions.outcomes))[np.where(known, predictions.labels, 0)]
    return _mean_of_known(((predictions.probabilities - hits) ** 2).sum(axis=2).mean(axis=0), known)


def _mean_of_known(values: Float[np.ndarray, " document"], known: Bool[np.ndarray, " document"]) -> Metric:
    return mean_ratio_of(np.where(known, values, 0.0)[:, None], known[:, None].astype(np.float64))


def _sides(
    predictions: OutOfFoldPredictions, outcome: int
) -> tuple[Int[np.ndarray, " case"], Int[np.ndarray, " other"]]:
    known = predictions.labels >= 0
    if not np.isfinite(predictions.probabilities[:, known]).all():
        raise ValueError("a labelled document has a probability that is not finite: look for a diverged training run")
    is_case = predictions.labels == outcome
    return np.flatnonzero(is_case), np.flatnonzero(known & ~is_case)


def _average_precision(
    counts: Float[np.ndarray, " document"], cases: Float[np.ndarray, " document"], ends: Int[np.ndarray, " level"]
) -> float:
    """The precision at each risk level, from the highest down, weighted by the increase in recall."""
    true_positives, all_flagged = cases.cumsum()[ends], counts.cumsum()[ends]
    # Nothing is flagged above the first drawn document. Its recall does not rise there, so the value does not count.
    precision = true_positives / np.maximum(all_flagged, 1.0)
    return float((np.diff(true_positives, prepend=0.0) * precision).sum() / true_positives[-1])
