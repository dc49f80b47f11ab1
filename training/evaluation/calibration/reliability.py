"""Whether a risk of 20 % comes true in 20 of 100: slope and intercept, reliability curve, calibration error.

The calibration error is only ever given beside its null: with 200 documents a perfectly calibrated model shows about
.07, so the error alone says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from training.evaluation.metrics import keep_labelled

_CERTAIN = 1e-6
"""Probabilities are kept this far from 0 and 1, where the log-odds are infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration:
    """Logistic recalibration of one outcome against the rest (Cox 1958; Van Calster et al. 2019).

    `slope` b of logit P(case) = a + b logit(p): below 1 the risks are too extreme, above 1 too timid. `intercept` a at
    b = 1, calibration in the large: above 0 the risks are too low overall. None where the documents cannot tell: no
    cases or no others, and for the slope risks all alike or that separate the two perfectly.
    """

    outcome: str
    cases: int
    others: int
    slope: float | None
    intercept: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityPoint:
    """Documents of neighbouring risk: their mean risk, the share in whom it came true, and its 95 % Wilson interval."""

    documents: int
    mean_risk: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """Expected calibration error beside what a perfectly calibrated model shows with these same risks.

    `null_mean` and `null_high` (95th percentile) come from outcomes drawn from the risks themselves (Bröcker and
    Smith 2007; Vaicenavicius et al. 2019); `p_value` is the share of those at least as large as `value`.
    """

    value: float
    null_mean: float
    null_high: float
    p_value: float
    documents: int
    bins: int
    simulations: int


def recalibrate(
    probabilities: Float[np.ndarray, "document outcome"],
    labels: Int[np.ndarray, " document"],
    outcomes: Sequence[str],
) -> tuple[Recalibration, ...]:
    """Calibration slope and intercept of each outcome; documents labelled -1 are left out."""
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    log_odds = finite_log_odds(known_probabilities)
    found = []
    for index, name in enumerate(outcomes):
        is_case = known_labels == index
        found.append(
            Recalibration(
                outcome=name,
                cases=int(is_case.sum()),
                others=int((~is_case).sum()),
                slope=_slope(log_odds[:, index], is_case),
                intercept=_intercept(log_odds[:, index], is_case),
            )
        )
    return tuple(found)


def reliability_curve(
    risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"], *, bins: int = 10
) -> tuple[ReliabilityPoint, ...]:
    """Documents sorted by risk, cut into bins of about equal count; equal risks share a bin, so there may be fewer."""
    bin_of = bins_of(risks, bins)
    points = []
    for found in np.unique(bin_of):
        within = bin_of == found
        interval = binomtest(int(is_case[within].sum()), int(within.sum())).proportion_ci(method="wilson")
        points.append(
            ReliabilityPoint(
                documents=int(within.sum()),
                mean_risk=float(risks[within].mean()),
                observed=float(is_case[within].mean()),
                low=float(interval.low),
                high=float(interval.high),
            )
        )
    return tuple(points)


def calibration_error(
    risks: Float[np.ndarray, " document"],
    is_case: Bool[np.ndarray, " document"],
    *,
    bins: int = 10,
    simulations: int = 1000,
    seed: int = 0,
) -> CalibrationError:
    """Mean over documents of the gap between their bin's mean risk and its share of cases (Naeini et al. 2015).

    For several outcomes at once pass `top_risks`. Raises ValueError without a document.
    """
    if not len(risks):
        raise ValueError("a calibration error needs labelled documents, and there are none")
    bin_of = bins_of(risks, bins)
    value = _gap(risks, is_case, bin_of)
    # A spawned stream: documents that were themselves drawn from this seed must not meet their own numbers again.
    chance = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    null = np.array([_gap(risks, chance.random(len(risks)) < risks, bin_of) for _ in range(simulations)])
    return CalibrationError(
        value=value,
        null_mean=float(null.mean()),
        null_high=float(np.quantile(null, 0.95)),
        p_value=float((1 + (null >= value).sum()) / (1 + simulations)),
        documents=len(risks),
        bins=bins,
        simulations=simulations,
    )


def top_risks(
    probabilities: Float[np.ndarray, "document outcome"], labels: Int[np.ndarray, " document"]
) -> tuple[Float[np.ndarray, " labelled"], Bool[np.ndarray, " labelled"]]:
    """The risk of each labelled document's likeliest outcome, and whether that was so (Guo et al. 2017)."""
    known_probabilities, known_labels = keep_labelled(probabilities, labels)
    return known_probabilities.max(axis=1), known_probabilities.argmax(axis=1) == known_labels


def finite_log_odds(probabilities: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Log-odds in double precision; probabilities of 0 and 1 are moved inwards by a millionth."""
    return np.asarray(logit(np.clip(probabilities.astype(np.float64), _CERTAIN, 1 - _CERTAIN)))


def bins_of(risks: Float[np.ndarray, " document"], bins: int) -> Int[np.ndarray, " document"]:
    """The bin of each document: about equal counts, equal risks together."""
    edges = np.unique(np.quantile(risks, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, risks, side="left")


def _slope(log_odds: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]) -> float | None:
    if not is_case.any() or is_case.all() or np.ptp(log_odds) == 0:
        return None
    of_cases, of_others = log_odds[is_case], log_odds[~is_case]
    if of_cases.min() >= of_others.max() or of_cases.max() <= of_others.min():
        return None  # separated: the likelihood has no maximum
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=200)
    fitted.fit(log_odds[:, None], is_case)
    return float(fitted.coef_[0, 0])


def _intercept(log_odds: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"]) -> float | None:
    """The shift of all log-odds at which as many cases are expected as there were: the likelihood's one maximum."""
    if not is_case.any() or is_case.all():
        return None
    reach = float(np.abs(log_odds).max()) + float(np.log(len(is_case))) + 1.0
    return float(brentq(lambda shift: expit(log_odds + shift).sum() - is_case.sum(), -reach, reach))


def _gap(
    risks: Float[np.ndarray, " document"], is_case: Bool[np.ndarray, " document"], bin_of: Int[np.ndarray, " document"]
) -> float:
    return float(np.abs(np.bincount(bin_of, weights=risks - is_case)).sum() / len(risks))
