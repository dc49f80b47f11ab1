"""Who trains, who stops the training, who is held out: whole families, outcomes in even shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.config import SplitSettings


class FamilyLeakError(ValueError):
    """A family has members in two parts of a split: what is learnt from one would be tested on the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows of a cohort by part."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def parts(self) -> Mapping[str, tuple[int, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def split_by_family(families: Sequence[str], outcomes: Sequence[str], settings: SplitSettings) -> Split:
    """Deals whole families to train, validation and test so that each part has its share of every outcome.

    Larger families first, each to the part that then deviates least from its share; the seed decides the order
    among equals.
    """
    shares = np.array([1 - settings.validation - settings.test, settings.validation, settings.test])
    labels = sorted(set(outcomes))
    members = _members(families)
    wanted = np.outer(shares, [outcomes.count(label) for label in labels])
    dealt = np.zeros_like(wanted)
    parts: list[list[int]] = [[], [], []]
    for family in _dealing_order(members, settings.seed):
        rows = members[family]
        held = np.array([sum(outcomes[row] == label for row in rows) for label in labels], dtype=float)
        part = _neediest(dealt, held, wanted)
        dealt[part] += held
        parts[part] += rows
    train, validation, test = (tuple(sorted(part)) for part in parts)
    return Split(train=train, validation=validation, test=test)


def refuse_leaks(split: Split, families: Sequence[str]) -> None:
    """Raises FamilyLeakError when a family has members in more than one part."""
    seen: dict[str, str] = {}
    leaking = 0
    for part, rows in split.parts.items():
        for family in {families[row] for row in rows}:
            leaking += seen.setdefault(family, part) != part
    if leaking:
        raise FamilyLeakError(f"{leaking} families are in more than one part: split by family")


def count_outcomes(split: Split, outcomes: Sequence[str]) -> Mapping[str, Counter[str]]:
    """How often each outcome is in each part."""
    return {part: Counter(outcomes[row] for row in rows) for part, rows in split.parts.items()}


def _members(families: Sequence[str]) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for row, family in enumerate(families):
        members.setdefault(family, []).append(row)
    return members


def _dealing_order(members: Mapping[str, Sequence[int]], seed: int) -> list[str]:
    names = sorted(members)
    shuffled = [names[position] for position in np.random.default_rng(seed).permutation(len(names))]
    return sorted(shuffled, key=lambda family: -len(members[family]))


def _neediest(dealt: np.ndarray, held: np.ndarray, wanted: np.ndarray) -> int:
    """The part whose deficit the family's members fill best: squared relative deviation after dealing."""
    scale = np.maximum(wanted.sum(axis=0), 1.0)
    deviations = [
        float(
            np.sum(
                ((dealt + held * (np.arange(len(wanted)) == part)[:, None] - wanted) / scale) ** 2
                / np.maximum(wanted / scale, 1e-9)
            )
        )
        if wanted[part].any()
        else np.inf
        for part in range(len(wanted))
    ]
    return int(np.argmin(deviations))
