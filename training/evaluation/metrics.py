"""AUROC, Brier score and log loss of probabilities, with the counts behind them.

Documents labelled -1 are left out. Outcomes are measured one against the rest. A measure without cases or without other
documents is None, and the number of such outcomes is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAuroc:
    """AUROC of one outcome against the rest; `value` is None without cases or without others."""

    outcome: str
    cases: int
    others: int
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroAuroc:
    """Mean AUROC over the outcomes for which it is defined; None when there is none."""

    value: float | None
    by_outcome: tuple[OutcomeAuroc, ...]

    @property
    def undefined(self) -> int:
        """Number of outcomes with an undefined AUROC."""
        return sum(outcome.value is None for outcome in self.by_outcome)

    @property
    def complete(self) -> float | None:
        """The mean over all outcomes; None when one is undefined. A bootstrap averages this value."""
        return None if self.undefined else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeBrier:
    """Mean squared error of the probability of an outcome; `of_prevalence` is that of a constant prediction."""

    outcome: str
    cases: int
    value: float
    of_prevalence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brier:
    """The Brier score summed over outcomes, from 0 to 2 (Brier 1950); None without labelled documents.

    For two outcomes many sources use half of it; `by_outcome` holds that form, from 0 to 1.
    """

    value: float | None
    by_outcome: tuple[OutcomeBrier, ...]

    @property
    def skill(self) -> float | None:
        """Brier skill score: 1 is perfect, 0 is no better than a constant prediction of the prevalence."""
        reference = sum(outcome.of_prevalence for outcome in self.by_outcome)
        return 1 - self.value / reference if self.value is not None and reference else None


def macro_auroc(
    probabilities: Float[np.ndarray, "document outcome"],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
) -> MacroAuroc:
    """Macro one-vs-rest AUROC. See docs/method.md (E3)."""
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    ranks = rankdata(known_probabilities, axis=0)
    aurocs = [
        OutcomeAuroc(
            outcome=name,
            cases=int(is_case.sum()),
            others=int((~is_case).sum()),
            value=_auroc_of_ranks(ranks[:, index], is_case),
        )
        for index, name in enumerate(outcomes)
        for is_case in (known_labels == index,)
    ]
    defined = [outcome.value for outcome in aurocs if outcome.value is not None]
    return MacroAuroc(value=float(np.mean(defined)) if defined else None, by_outcome=tuple(aurocs))


def auroc(scores: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]) -> float | None:
    """Probability that a case scores above another document, ties counting half; None without cases or others.

    See docs/method.md (E3).
    """
    return _auroc_of_ranks(rankdata(scores), is_case)


def brier(
    probabilities: Float[np.ndarray, "document outcome"],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
) -> Brier:
    """The Brier score and its part for each outcome. See docs/method.md (E6)."""
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    parts = []
    for index, name in enumerate(outcomes):
        is_case = known_labels == index
        squared = (known_probabilities[:, index] - is_case) ** 2
        prevalence = _share(is_case)
        parts.append(
            OutcomeBrier(
                outcome=name,
                cases=int(is_case.sum()),
                value=float(squared.mean()) if len(squared) else 0.0,
                of_prevalence=prevalence * (1 - prevalence),
            )
        )
    return Brier(value=sum(part.value for part in parts) if len(known_labels) else None, by_outcome=tuple(parts))


def log_loss(probabilities: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]) -> float:
    """Mean negative log probability of the observed outcome, in nats; NaN without labelled documents.

    See docs/method.md (E5).
    """
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return float("nan")
    right = probabilities[known, labels[known]]
    # One certain mistake would make the mean infinite.
    return float(-np.log(np.clip(right, np.finfo(np.float64).tiny, None)).mean())


def softmax(logits: Float[np.ndarray, "document outcome"]) -> Float[np.ndarray, "document outcome"]:
    """Probabilities from logits, in double precision."""
    # Less the maximum, because `exp` of a large logit overflows.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def keep_labelled(
    probabilities: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]
) -> tuple[Float[np.ndarray, "labelled outcome"], Int[np.ndarray, " labelled"]]:
    """The rows with a label. Raises ValueError when one of their probabilities is not finite."""
    known = labels >= 0
    kept = probabilities[known]
    if not np.isfinite(kept).all():
        raise ValueError("a labelled document has a probability that is not finite: look for a diverged training run")
    return kept, labels[known]


def _share(is_case: Bool[np.ndarray, " document"]) -> float:
    return float(is_case.mean()) if len(is_case) else 0.0


def _auroc_of_ranks(ranks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]) -> float | None:
    """AUROC from the rank sum (Mann and Whitney 1947), which is fast enough for a bootstrap."""
    cases = int(is_case.sum())
    others = len(is_case) - cases
    if not cases or not others:
        return None
    return (float(ranks[is_case].sum()) - cases * (cases + 1) / 2) / (cases * others)
