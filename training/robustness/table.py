"""The robustness table: how far the probabilities of recordings move under each condition, and the release gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from model.config import FrozenSettings
from training.robustness.agreement import intraclass_correlation
from training.robustness.settings import RobustnessBound

Probabilities = Float64[np.ndarray, " outcome"]


class ConditionRow(FrozenSettings):
    """One condition over all recordings that it applies to; changes are absolute differences of probabilities."""

    group: str
    name: str
    recordings: int = Field(description="recordings scored both as sent and under the condition")
    abstained: int = Field(description="recordings scored as sent, and not under the condition")
    mean_change: Mapping[str, float] = Field(description="mean absolute change of the probability, by outcome")
    largest_change: float | None = Field(description="largest absolute change of any outcome in any recording")
    top_changed: float | None = Field(description="share of recordings whose likeliest outcome changed")


class RobustnessTable(FrozenSettings):
    """The robustness of a bundle on the recordings of a cohort.

    `network` and `encoders` are the digests of what was measured, so that a table cannot be shown for another bundle.
    `halves` is the intraclass correlation of both halves' probabilities, by outcome.
    """

    task: str
    outcomes: tuple[str, ...]
    network: str
    encoders: Mapping[str, str]
    recordings: int
    unscored: int = Field(description="recordings that get no score as sent")
    synthetic: bool
    seed: int
    rows: tuple[ConditionRow, ...]
    halves: Mapping[str, float | None] | None
    bounds: Mapping[str, RobustnessBound] = {}

    def violations(self) -> tuple[str, ...]:
        """A sentence for each broken bound."""
        return tuple(problem for row in self.rows for problem in _violations(row, self.bound_of(row)))

    def bound_of(self, row: ConditionRow) -> RobustnessBound:
        """The bound of a condition, or else of its group."""
        return self.bounds.get(row.name) or self.bounds.get(row.group) or RobustnessBound()


def condition_row(
    group: str, name: str, pairs: Sequence[tuple[Probabilities, Probabilities | None]], outcomes: Sequence[str]
) -> ConditionRow:
    """Summarise `pairs` of probabilities as sent and under the condition; None is an abstention.

    See docs/method.md (E19).
    """
    both = [(sent, changed) for sent, changed in pairs if changed is not None]
    # Without pairs the array has no second axis.
    changes = np.array([np.abs(changed - sent) for sent, changed in both]).reshape(-1, len(outcomes))
    mean = changes.mean(axis=0) if both else np.zeros(0)
    return ConditionRow(
        group=group,
        name=name,
        recordings=len(both),
        abstained=len(pairs) - len(both),
        # Not strict, because `mean` is empty when no recording is scored both times.
        mean_change={outcome: float(value) for outcome, value in zip(outcomes, mean, strict=False)},
        largest_change=float(changes.max()) if both else None,
        top_changed=float(np.mean([sent.argmax() != changed.argmax() for sent, changed in both])) if both else None,
    )


def agreement_of_halves(
    first: Sequence[Probabilities | None], second: Sequence[Probabilities | None], outcomes: Sequence[str]
) -> dict[str, float | None]:
    """ICC(2,1) between the halves' probabilities, by outcome, over recordings of which both halves are scored."""
    pairs = [(one, other) for one, other in zip(first, second, strict=True) if one is not None and other is not None]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2, len(outcomes))
    return {outcome: intraclass_correlation(table[:, :, at]) for at, outcome in enumerate(outcomes)}


def _violations(row: ConditionRow, bound: RobustnessBound) -> Iterator[str]:
    worst = max(row.mean_change.values(), default=0.0)
    if bound.mean_change is not None and worst > bound.mean_change:
        yield f"{row.name}: probabilities change by {worst:.3f} on average, more than {bound.mean_change:g}"
    if bound.top_changed is not None and (row.top_changed or 0.0) > bound.top_changed:
        yield f"{row.name}: the likeliest outcome changes in {row.top_changed:.0%}, more than {bound.top_changed:.0%}"
    share = row.abstained / max(row.abstained + row.recordings, 1)
    if bound.abstained is not None and share > bound.abstained:
        yield f"{row.name}: {share:.0%} of the recordings get no score, more than {bound.abstained:.0%}"
