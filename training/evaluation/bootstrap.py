"""Percentile bootstrap over families (Field and Welsh 2007).

Relatives are correlated, so families and not documents are resampled. DeLong's interval assumes independent documents
and is too narrow here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from scipy.stats import binomtest

from model.config import FrozenSettings

Metric = Callable[[Int[np.ndarray, " drawn"]], float | None]
"""A metric of resampled rows, in which a row occurs as often as it was drawn; None or NaN where it is undefined."""


class BootstrapSettings(FrozenSettings):
    """Number of resamples, level and seed of the intervals."""

    seed: int = 1
    resamples: int = Field(default=2000, ge=100)
    level: float = Field(default=0.95, gt=0, lt=1)
    undefined_at_most: float = Field(
        default=0.2, ge=0, lt=1, description="largest share of undefined resamples at which an interval is given"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A metric on all documents with its percentile interval.

    `low` and `high` are None with fewer than two families, and when too many resamples were undefined: the defined
    ones would be a biased selection. `undefined` counts the undefined resamples.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    families: int
    resamples: int
    undefined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The difference of the metrics of two models, on the same resamples."""

    interval: Interval

    @property
    def larger(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.interval.low is not None and self.interval.low > 0


def family_interval(metric: Metric, families: Sequence[str], settings: BootstrapSettings) -> Interval:
    """The interval of a metric over resampled families; `families` names the family of each row.

    See docs/method.md (E13).
    """
    drawn = [_number(metric(rows)) for rows in _resamples(tuple(families), settings)]
    value = _number(metric(np.arange(len(families))))
    return _summarise(value, [value for value in drawn if value is not None], len(set(families)), settings)


def family_ratios(
    numerators: Float[np.ndarray, "document point"],
    denominators: Float[np.ndarray, "document point"],
    families: Sequence[str],
    settings: BootstrapSettings,
) -> tuple[Interval, ...]:
    """The intervals of many ratios of sums over documents, such as the points of a curve.

    The resamples are those of `family_interval`. A ratio with denominator 0 is undefined.

    See docs/method.md (E13).
    """
    drawn_rows = _resamples(tuple(families), settings)
    # Counts turn all resamples of a curve into one product of matrices.
    counts = np.stack([np.bincount(rows, minlength=len(families)) for rows in drawn_rows], dtype=np.float64)
    values = _ratios(numerators.sum(axis=0), denominators.sum(axis=0))
    drawn = _ratios(counts @ numerators, counts @ denominators)
    return tuple(
        _summarise(_number(float(value)), column[np.isfinite(column)].tolist(), len(set(families)), settings)
        for value, column in zip(values, drawn.T, strict=True)
    )


def family_shares(
    hits: Float[np.ndarray, "document point"],
    members: Float[np.ndarray, "document point"],
    families: Sequence[str],
    settings: BootstrapSettings,
) -> tuple[Interval, ...]:
    """The intervals of shares, such as sensitivities; `hits` is at most `members`.

    A share of 0 or 1 is the same in every resample, so a percentile interval has no width. Wilson's interval is used
    instead, with the number of families that have members as sample size.

    See docs/method.md (E15).
    """
    names = np.asarray(families)
    return tuple(
        _widen(interval, len(set(names[column > 0].tolist())), settings.level)
        for interval, column in zip(family_ratios(hits, members, families, settings), members.T, strict=True)
    )


def paired_difference(
    metric: Metric, other: Metric, families: Sequence[str], settings: BootstrapSettings
) -> PairedDifference:
    """`metric` minus `other` on the same rows of every resample, so that their common variation cancels.

    See docs/method.md (E14).
    """

    def difference(rows: Int[np.ndarray, " drawn"]) -> float | None:
        left, right = _number(metric(rows)), _number(other(rows))
        return None if left is None or right is None else left - right

    return PairedDifference(interval=family_interval(difference, families, settings))


def _summarise(value: float | None, defined: Sequence[float], families: int, settings: BootstrapSettings) -> Interval:
    """Percentiles of the defined resamples, unless too many are undefined."""
    undefined = settings.resamples - len(defined)
    low, high = None, None
    if families > 1 and undefined <= settings.undefined_at_most * settings.resamples:
        low, high = _percentiles(np.array(defined), settings.level)
    return Interval(
        value=value,
        low=low,
        high=high,
        level=settings.level,
        families=families,
        resamples=settings.resamples,
        undefined=undefined,
    )


def _widen(share: Interval, families: int, level: float) -> Interval:
    if share.low is None or share.value not in (0.0, 1.0):
        return share
    bounds = binomtest(families if share.value else 0, families).proportion_ci(level, method="wilson")
    return replace(share, low=float(bounds.low), high=float(bounds.high))


def _ratios(numerators: Float[np.ndarray, "*point"], denominators: Float[np.ndarray, "*point"]) -> np.ndarray:
    return np.asarray(np.divide(numerators, denominators, out=np.full_like(numerators, np.nan), where=denominators > 0))


def _members(families: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
    """The rows of each family."""
    _, family_of = np.unique(np.asarray(families), return_inverse=True)
    order = np.argsort(family_of, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(family_of[order])) + 1) if len(order) else []


@lru_cache(maxsize=2)
def _resamples(families: tuple[str, ...], settings: BootstrapSettings) -> tuple[Int[np.ndarray, " _"], ...]:
    """The rows of each resample; cached, because all metrics of a run use the same resamples."""
    members = _members(families)
    # A spawned stream: a synthetic cohort drawn from the same seed must not be resampled by the same numbers.
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed).spawn(1)[0])
    drawn = []
    for _ in range(settings.resamples):
        rows = np.concatenate([members[family] for family in rng.integers(len(members), size=len(members))])
        # Shared by all metrics through the cache: a metric that wrote into it would change the others.
        rows.flags.writeable = False
        drawn.append(rows)
    return tuple(drawn)


def _percentiles(values: Float[np.ndarray, " resample"], level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _number(value: float | None) -> float | None:
    """None for undefined and infinite values."""
    return None if value is None or not np.isfinite(value) else float(value)
