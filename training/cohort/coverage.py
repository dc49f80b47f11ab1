"""How far a cohort can carry an evaluation: outcomes that are none of the task's, rare ones, unknown covariates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from training.cohort.cohort import Cohort, unknown_outcome
from training.cohort.problem import Problem
from training.cohort.row import AGE, DEVICE, LABEL, SEX, SITE

FEWEST_FAMILIES = 5
"""Families an outcome needs to be in every one of five folds."""
_MOST_MISSING = 0.5
_OF_THE_BASELINE = dict.fromkeys((AGE, SEX), "fill it in: the baseline that a model must beat rests on it")


def check_outcomes(cohort: Cohort, task: str, outcomes: Sequence[str]) -> Iterator[Problem]:
    """Labels that are none of the task's outcomes; outcomes in too few families; empty `outcomes` means any."""
    column = LABEL + task
    if outcomes:
        strangers = [row for row in cohort.rows if task in row.labels and row.labels[task] not in outcomes]
        yield from (unknown_outcome(row.line, column, outcomes) for row in strangers)
    for outcome in outcomes or cohort.outcomes(task):
        families = {row.family for row in cohort.rows if row.labels.get(task) == outcome}
        if len(families) < FEWEST_FAMILIES:
            detail = f"the outcome {outcome} is in {len(families)} {'family' if len(families) == 1 else 'families'}"
            advice = f"below {FEWEST_FAMILIES} some folds test none: expect no measure of this outcome"
            yield Problem(line=None, column=column, detail=detail, advice=advice, warning=True)


def check_covariates(cohort: Cohort) -> Iterator[Problem]:
    """Warns of covariates that are mostly unknown; of site and device only where somebody began to fill them in."""
    known = {
        AGE: np.isfinite(cohort.ages),
        SEX: np.array([bool(row.sex) for row in cohort.rows]),
        SITE: np.array([bool(row.site) for row in cohort.rows]),
        DEVICE: np.array([bool(row.device) for row in cohort.rows]),
    }
    for column, values in known.items():
        wanted = column in _OF_THE_BASELINE or values.any()
        if wanted and len(values) and 1 - values.mean() > _MOST_MISSING:
            detail = f"it is known in {int(values.sum())} of {len(values)} rows"
            advice = _OF_THE_BASELINE.get(column, "fill it in: only then can a model that learnt it be told")
            yield Problem(line=None, column=column, detail=detail, advice=advice, warning=True)
