"""Who the tested documents are of: age, sex, duration and noise, over all and by outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from model.config import Settings
from training.evaluation.contributions import Distribution, describe
from training.evaluation.evidence import Evidence
from training.evaluation.subgroups import UNKNOWN


class Characteristics(Settings):
    """Documents of one outcome, or all; age in years, duration in seconds, noise ratio in decibels.

    A distribution's `documents` are those in which the covariate is known.
    """

    group: str
    documents: int
    age: Distribution
    duration: Distribution
    noise_ratio: Distribution
    sexes: Mapping[str, int]


def describe_cohort(evidence: Evidence) -> tuple[Characteristics, ...]:
    """All tested documents first, then those of each outcome."""
    found = evidence.arms[0].found
    rows = np.array(found.rows, dtype=np.int64)
    groups = {"all": rows} | {name: rows[found.labels == index] for index, name in enumerate(evidence.outcomes)}
    return tuple(_describe(evidence, name, members) for name, members in groups.items())


def _describe(evidence: Evidence, group: str, rows: Int[np.ndarray, " document"]) -> Characteristics:
    covariates = evidence.covariates
    sexes = Counter(covariates.sex[row] or UNKNOWN for row in rows.tolist())
    return Characteristics(
        group=group,
        documents=len(rows),
        age=describe(covariates.age[rows]),
        duration=describe(covariates.duration[rows]),
        noise_ratio=describe(covariates.noise_ratio[rows]),
        sexes=dict(sorted(sexes.items())),
    )
