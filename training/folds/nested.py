"""Nested cross-validation folds: repeated, stratified by outcome, grouped by family, with inner folds.

Hyper-parameters, temperature and thresholds are chosen on inner folds only, so that the outer test part gives an
unbiased estimate (Varma and Simon 2006).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from pydantic import Field
from sklearn.model_selection import StratifiedGroupKFold

from model.config import FrozenSettings
from training.errors import OutcomeAbsentError
from training.folds.splits import Split, refuse_leaks

_SEEDS = 2**31


class FoldSettings(FrozenSettings):
    """Number of repeats, outer folds and inner folds."""

    seed: int = 1
    repeats: int = Field(default=5, ge=1)
    folds: int = Field(default=5, ge=2, description="outer folds of a repeat")
    inner: int = Field(default=3, ge=2, description="folds within each training part; few, for the rarest outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterFold:
    """An outer fold. `inner` splits its training part; the inner splits carry the same test rows."""

    repeat: int
    number: int
    train: tuple[int, ...]
    test: tuple[int, ...]
    inner: tuple[Split, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCounts:
    """Number of documents, and of documents of each outcome, in a part of a fold."""

    repeat: int
    number: int
    part: str
    documents: int
    by_outcome: tuple[int, ...]


def draw_folds(
    families: Sequence[str],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
    settings: FoldSettings,
) -> tuple[OuterFold, ...]:
    """Draw `repeats` x `folds` outer folds; each row is tested once per repeat. Equal arguments give equal folds.

    `labels` index `outcomes`. Rows without a label (-1) are stratified as an outcome of their own. Raises
    OutcomeAbsentError when an outcome has fewer families than folds, or when a part of a fold has no case of it.

    See docs/method.md (E1).
    """
    rows, names = np.arange(len(labels)), np.array(families)
    # With fewer families than folds, some test part lacks the outcome whatever the seed.
    _refuse_rare(names, labels, outcomes, settings.folds)
    # Drawn row by row, so that more repeats leave the first ones as they are.
    seeds = np.random.default_rng(settings.seed).integers(_SEEDS, size=(settings.repeats, 1 + settings.folds))
    drawn = tuple(
        OuterFold(
            repeat=repeat,
            number=number,
            train=_plain(train),
            test=_plain(test),
            inner=tuple(
                # The outer test rows are carried along, so that `refuse_leaks` sees all three parts.
                Split(train=_plain(within), validation=_plain(validation), test=_plain(test))
                for within, validation in _deal(train, names, labels, settings.inner, int(seeds[repeat, 1 + number]))
            ),
        )
        for repeat in range(settings.repeats)
        for number, (train, test) in enumerate(_deal(rows, names, labels, settings.folds, int(seeds[repeat, 0])))
    )
    check_folds(drawn, families, labels, outcomes)
    return drawn


def check_folds(
    folds: Sequence[OuterFold], families: Sequence[str], labels: Int[np.ndarray, " document"], outcomes: Sequence[str]
) -> None:
    """Check that folds neither leak families nor lack outcomes. Call it again when folds are read from a file.

    Raises FamilyLeakError when a family is in two parts of a split, OutcomeAbsentError when a part lacks an outcome.

    See docs/method.md (E1).
    """
    for fold in folds:
        refuse_leaks(Split(train=fold.train, validation=(), test=fold.test), families)
        for split in fold.inner:
            refuse_leaks(split, families)
    for part in count_folds(folds, labels, outcomes):
        absent = [name for name, cases in zip(outcomes, part.by_outcome, strict=True) if not cases]
        if absent:
            raise OutcomeAbsentError(
                f"repeat {part.repeat + 1}, fold {part.number + 1}: the {part.part} part of {part.documents} "
                f"documents has no case of {', '.join(absent)}: use fewer folds, join rare outcomes, or another seed"
            )


def count_folds(
    folds: Sequence[OuterFold], labels: Int[np.ndarray, " document"], outcomes: Sequence[str]
) -> tuple[PartCounts, ...]:
    """Documents and outcomes of every part of every fold."""
    return tuple(
        PartCounts(
            repeat=fold.repeat,
            number=fold.number,
            part=part,
            documents=len(rows),
            by_outcome=tuple(int((labels[list(rows)] == index).sum()) for index in range(len(outcomes))),
        )
        for fold in folds
        for part, rows in _parts(fold)
    )


def _parts(fold: OuterFold) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "training", fold.train
    yield "test", fold.test
    for number, split in enumerate(fold.inner, start=1):
        yield f"inner training {number}", split.train
        yield f"inner validation {number}", split.validation


def _deal(
    rows: Int[np.ndarray, " row"], families: np.ndarray, labels: Int[np.ndarray, " document"], parts: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each part, by a stratified and grouped k-fold split."""
    # It balances outcomes only as far as families allow, so `check_folds` looks for parts without a case.
    dealer = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # scikit-learn warns of missing labels too; check_folds refuses outcomes that are too rare, by name.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for inside, outside in dealer.split(rows, labels[rows], families[rows]):
            # scikit-learn returns positions in `rows`, not rows of the cohort.
            yield rows[inside], rows[outside]


def _refuse_rare(
    families: np.ndarray, labels: Int[np.ndarray, " document"], outcomes: Sequence[str], folds: int
) -> None:
    for index, name in enumerate(outcomes):
        count = len(set(families[labels == index].tolist()))
        if count < folds:
            raise OutcomeAbsentError(
                f"{name} is found in {count} families, fewer than the {folds} folds: "
                "use fewer folds, join it with another outcome, or collect more"
            )


def _plain(rows: np.ndarray) -> tuple[int, ...]:
    return tuple(int(row) for row in rows)
