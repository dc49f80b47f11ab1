"""The same metric in parts of the cohort: by sex, age band, role, device, with how many stand behind each number."""

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
"""Documents below which a subgroup is counted but not measured: the number would be about persons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupInterval:
    """One level of a covariate; `interval` is None when it has too few documents to measure."""

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
    """The metric and its family interval at each level of each covariate; an empty value counts as unknown.

    The covariates' values are in the order of the rows that the metric reads. `cases` counts labels 0, 1, and so on.
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
    """The band of each age in years, such as `30-44`; NaN is unknown. A band holds its lower edge."""
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
    """Documents of one outcome, or all; age in years, duration in seconds, noise ratio in decibels.

    A distribution's `documents` are those in which the covariate is known.
    """

    group: str
    documents: int
    age: Quantiles
    duration: Quantiles
    noise_ratio: Quantiles
    sexes: Mapping[str, int]


def describe_cohort(evidence: Evidence) -> tuple[CohortCharacteristics, ...]:
    """All tested documents first, then those of each outcome."""
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
