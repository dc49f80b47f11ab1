"""How well probabilities tell outcomes apart, with the counts they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import roc_auc_score


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAuroc:
    """One outcome against the rest; `value` is None when either side has nobody."""

    outcome: str
    cases: int
    others: int
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroAuroc:
    """Mean over the outcomes whose AUROC is defined; None when none is."""

    value: float | None
    by_outcome: tuple[OutcomeAuroc, ...]

    @property
    def undefined(self) -> int:
        """How many outcomes could not be measured, so that a mean over few is not taken for one over all."""
        return sum(one.value is None for one in self.by_outcome)


def macro_auroc(
    probabilities: Float[np.ndarray, "document outcome"],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
) -> MacroAuroc:
    """Macro one-vs-rest AUROC; documents labelled -1 are left out."""
    known = labels >= 0
    by_outcome = tuple(
        _one_against_rest(name, probabilities[known, index], labels[known] == index)
        for index, name in enumerate(outcomes)
    )
    defined = [one.value for one in by_outcome if one.value is not None]
    return MacroAuroc(value=float(np.mean(defined)) if defined else None, by_outcome=by_outcome)


def log_loss(probabilities: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]) -> float:
    """Mean negative log probability of what was so, in nats; documents labelled -1 are left out.

    NaN when no document has a label.
    """
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return float("nan")
    right = probabilities[known, labels[known]]
    return float(-np.log(np.clip(right, np.finfo(np.float64).tiny, None)).mean())


def softmax(logits: Float[np.ndarray, "document outcome"]) -> Float[np.ndarray, "document outcome"]:
    """Probabilities from logits, in double precision."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _one_against_rest(outcome: str, scores: Float[np.ndarray, " document"], is_case: np.ndarray) -> OutcomeAuroc:
    cases = int(is_case.sum())
    others = len(is_case) - cases
    value = float(roc_auc_score(is_case, scores)) if cases and others else None
    return OutcomeAuroc(outcome=outcome, cases=cases, others=others, value=value)
