"""Expected calibration error and the bins of a reliability diagram.

The calibration error is always reported with its null distribution: with 200 documents a perfectly calibrated model
has an error of about .07, so the error alone is not informative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logit

from training.evaluation.metrics import keep_labelled

_CERTAIN = 1e-6
"""Minimum distance of probabilities from 0 and 1, where the log-odds are infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """Expected calibration error with its null distribution under perfect calibration.

    `null_mean` and `null_high` (95th percentile) come from outcomes simulated from the risks (Bröcker and Smith 2007;
    Vaicenavicius et al. 2019). `p_value` is the share of simulated errors of at least `value`.
    """

    value: float
    null_mean: float
    null_high: float
    p_value: float
    documents: int
    bins: int
    simulations: int


def calibration_error(
    risks: Float[np.ndarray, " document"],
    is_case: Bool[np.ndarray, " document"],
    *,
    bins: int = 10,
    simulations: int = 1000,
    seed: int = 0,
) -> CalibrationError:
    """Mean over documents of the gap between mean risk and share of cases in their bin (Naeini et al. 2015).

    For a multi-class error pass the result of `top_risks`. Raises ValueError without documents.

    See docs/method.md (E9).
    """
    if not len(risks):
        raise ValueError("a calibration error needs labelled documents, and there are none")
    bin_of = bins_of(risks, bins)
    value = _gap(risks, is_case, bin_of)
    # A spawned stream: documents drawn from this seed must not be simulated with the same numbers.
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    # The bins depend on the risks alone, which a simulation leaves as they are.
    null = np.array([_gap(risks, rng.random(len(risks)) < risks, bin_of) for _ in range(simulations)])
    return CalibrationError(
        value=value,
        null_mean=float(null.mean()),
        null_high=float(np.quantile(null, 0.95)),
        # The observed error counts as a simulation, so that p is never 0 (E9).
        p_value=float((1 + (null >= value).sum()) / (1 + simulations)),
        documents=len(risks),
        bins=bins,
        simulations=simulations,
    )


def top_risks(
    probabilities: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]
) -> tuple[Float[np.ndarray, " labelled"], Bool[np.ndarray, " labelled"]]:
    """The risk of the most probable outcome of each labelled document, and whether it occurred (Guo et al. 2017).

    See docs/method.md (E9).
    """
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    return known_probabilities.max(axis=1), known_probabilities.argmax(axis=1) == known_labels


def finite_log_odds(probabilities: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Log-odds in double precision, of probabilities clipped to [1e-6, 1 - 1e-6]."""
    return np.asarray(logit(np.clip(probabilities.astype(np.float64), _CERTAIN, 1 - _CERTAIN)))


def bins_of(risks: Float[np.ndarray, " document"], bins: int) -> Int[np.ndarray, " document"]:
    """The bin of each document: bins of about equal count, with equal risks in one bin. See docs/method.md (E8)."""
    # Many equal risks give equal quantiles, and equal edges would be bins without a document.
    edges = np.unique(np.quantile(risks, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, risks, side="left")


def _gap(
    risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"], bin_of: Int[np.ndarray, " document"]
) -> float:
    return float(np.abs(np.bincount(bin_of, weights=risks - is_case)).sum() / len(risks))
