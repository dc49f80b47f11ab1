"""Metrics and characteristics of subgroups of a cohort, such as sex, age band, role and device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from model.config import FrozenSettings
from training.evaluation.bootstrap import BootstrapSettings, Interval, Metric, family_interval
from training.evaluation.contributions import Quantiles, summarise_quantiles
from training.evaluation.evidence import Evidence

UNKNOWN = "unknown"
AGE_EDGES = (18, 30, 45, 60)
FEWEST = 10
"""Minimum number of documents for a measure: with fewer, a number would describe individual persons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupInterval:
    """A metric at one level of a covariate; `interval` is None with too few documents."""

    covariate: str
    level: str
    documents: int
    families: int
    cases: tuple[int, ...]
    interval: Interval | None


def measure_subgroups(
    metric: Metric,
    families: Sequence[str],
    labels: Int[np.ndarray, " document"],
    covariates: Mapping[str, Sequence[str]],
    settings: BootstrapSettings,
) -> tuple[SubgroupInterval, ...]:
    """The metric with its interval at each level of each covariate; an empty value counts as unknown.

    The values of a covariate are in the order of the rows of the metric. `cases` counts the documents of each label.

    See docs/method.md (E16).
    """
    subgroups = []
    for covariate, values in covariates.items():
        column = np.array([value or UNKNOWN for value in values])
        for level in np.unique(column).tolist():
            rows = np.flatnonzero(column == level)
            names = [families[row] for row in rows.tolist()]
            subgroups.append(
                SubgroupInterval(
                    covariate=covariate,
                    level=level,
                    documents=len(rows),
                    families=len(set(names)),
                    cases=_count(labels[rows], int(labels.max()) + 1),
                    interval=family_interval(_within(metric, rows), names, settings) if len(rows) >= FEWEST else None,
                )
            )
    return tuple(subgroups)


def name_age_bands(ages: Float[np.ndarray, " document"], edges: Sequence[int] = AGE_EDGES) -> tuple[str, ...]:
    """The band of each age in years, such as `30-44`, lower edge included; NaN is unknown. See docs/method.md (E16)."""
    bands = [
        f"under {edges[0]}",
        *(f"{low}-{high - 1}" for low, high in pairwise(edges)),
        f"{edges[-1]} and over",
    ]
    places = np.searchsorted(edges, ages, side="right")
    return tuple(UNKNOWN if np.isnan(age) else bands[place] for age, place in zip(ages, places, strict=True))


def _within(metric: Metric, rows: Int[np.ndarray, " subgroup"]) -> Metric:
    return lambda drawn: metric(rows[drawn])


def _count(labels: Int[np.ndarray, " document"], outcomes: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels[labels >= 0], minlength=outcomes).tolist())


class CohortCharacteristics(FrozenSettings):
    """Characteristics of the documents of one outcome, or of all: age in years, duration in seconds, SNR in dB.

    The `documents` of a distribution are those with a known covariate.
    """

    group: str
    documents: int
    age: Quantiles
    duration: Quantiles
    noise_ratio: Quantiles
    sexes: Mapping[str, int]


def describe_cohort(evidence: Evidence) -> tuple[CohortCharacteristics, ...]:
    """The characteristics of all test documents, then of those of each outcome."""
    predictions = evidence.arms[0].predictions
    rows = np.array(predictions.rows, dtype=np.int64)
    groups = {"all": rows} | {name: rows[predictions.labels == index] for index, name in enumerate(evidence.outcomes)}
    return tuple(_describe_group(evidence, name, members) for name, members in groups.items())


def _describe_group(evidence: Evidence, group: str, rows: Int[np.ndarray, " document"]) -> CohortCharacteristics:
    covariates = evidence.covariates
    sexes = Counter(covariates.sex[row] or UNKNOWN for row in rows.tolist())
    return CohortCharacteristics(
        group=group,
        documents=len(rows),
        age=summarise_quantiles(covariates.age[rows]),
        duration=summarise_quantiles(covariates.duration[rows]),
        noise_ratio=summarise_quantiles(covariates.noise_ratio[rows]),
        sexes=dict(sorted(sexes.items())),
    )
