"""Splits of a cohort into parts that must not share a family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.errors import FamilyLeakError


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The rows of a cohort, by part."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def parts(self) -> Mapping[str, tuple[int, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def refuse_leaks(split: Split, families: Sequence[str]) -> None:
    """Raise FamilyLeakError when a family has members in more than one part. See docs/method.md (E1)."""
    seen: dict[str, str] = {}
    leaking = 0
    for part, rows in split.parts.items():
        for family in {families[row] for row in rows}:
            leaking += seen.setdefault(family, part) != part
    if leaking:
        raise FamilyLeakError(f"{leaking} families are in more than one part: split by family")
