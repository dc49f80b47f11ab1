"""The 25 folds: repeated, stratified by outcome, whole families together, with inner folds in every training part.

Everything a model is tuned by (hyper-parameters, temperature, threshold) comes from the inner folds, so that the
outer test part has no say in what it measures (Varma and Simon 2006).
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
from training.folds.splits import Split, refuse_leaks

_SEEDS = 2**31


class OutcomeAbsentError(ValueError):
    """An outcome has nobody in some part of a fold: it could not be learnt there, or not be measured."""


class FoldSettings(FrozenSettings):
    """How often and into how many parts the families are dealt."""

    seed: int = 1
    repeats: int = Field(default=5, ge=1)
    folds: int = Field(default=5, ge=2, description="outer folds of a repeat")
    inner: int = Field(default=3, ge=2, description="folds within each training part; few, for the rarest outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterFold:
    """One of the folds; `inner` splits its training part and carries the same test rows."""

    repeat: int
    number: int
    train: tuple[int, ...]
    test: tuple[int, ...]
    inner: tuple[Split, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCounts:
    """How many documents and how many of each outcome a part of a fold has."""

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
    """
    rows, names = np.arange(len(labels)), np.array(families)
    _refuse_rare(names, labels, outcomes, settings.folds)
    seeds = np.random.default_rng(settings.seed).integers(_SEEDS, size=(settings.repeats, 1 + settings.folds))
    drawn = tuple(
        OuterFold(
            repeat=repeat,
            number=number,
            train=_plain(train),
            test=_plain(test),
            inner=tuple(
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
    """Refuses folds that would measure something else than they say.

    Raises FamilyLeakError when a family is in two parts of a split, and OutcomeAbsentError when a part of it lacks an
    outcome. Call it again at fit time when folds come from a file.
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
    """Documents and outcomes of every part of every fold, for the table that goes with the results."""
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
    """Rows in and out of each part; scikit-learn stratifies shuffled grouped folds since 1.8."""
    dealer = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Said of missing labels too; an outcome too rare is refused by name in check_folds.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for inside, outside in dealer.split(rows, labels[rows], families[rows]):
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
