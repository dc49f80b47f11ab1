from dataclasses import replace

import numpy as np
import pytest

from tests.training.fabricated import fabricate
from training.evaluation.calibration.reliability import recalibrate
from training.evaluation.calibration.slope import intercept_of, slope_of

FOUND = fabricate(150).arms[0].found
EVERYBODY = np.arange(len(FOUND.rows))


def by_library(rows, outcome):
    """Mean over repeats of what scikit-learn and brentq fit."""
    fitted = [recalibrate(one[rows], FOUND.labels[rows], FOUND.outcomes)[outcome] for one in FOUND.probabilities]
    return np.mean([one.slope for one in fitted]), np.mean([one.intercept for one in fitted])


@pytest.mark.parametrize("outcome", range(3))
def test_both_are_what_the_library_fits(outcome):
    slope, intercept = by_library(EVERYBODY, outcome)
    assert slope_of(FOUND, outcome)(EVERYBODY) == pytest.approx(slope, abs=1e-4)
    assert intercept_of(FOUND, outcome)(EVERYBODY) == pytest.approx(intercept, abs=1e-6)


def test_documents_count_as_often_as_they_are_drawn():
    rows = np.random.default_rng(0).integers(len(EVERYBODY), size=len(EVERYBODY))
    slope, intercept = by_library(rows, 1)
    assert slope_of(FOUND, 1)(rows) == pytest.approx(slope, abs=1e-4)
    assert intercept_of(FOUND, 1)(rows) == pytest.approx(intercept, abs=1e-6)


def test_rows_without_cases_or_without_others_have_neither():
    for rows in (np.flatnonzero(FOUND.labels != 1), np.flatnonzero(FOUND.labels == 1)):
        assert slope_of(FOUND, 1)(rows) is None
        assert intercept_of(FOUND, 1)(rows) is None


def test_risks_that_separate_have_no_slope():
    certain = np.where(np.eye(3)[FOUND.labels] == 1, 0.8, 0.1) + np.linspace(-0.01, 0.01, 150)[:, None]
    found = replace(FOUND, probabilities=np.stack([certain, certain]))
    assert slope_of(found, 1)(EVERYBODY) is None
    assert intercept_of(found, 1)(EVERYBODY) is not None


def test_risks_all_alike_have_no_slope():
    found = replace(FOUND, probabilities=np.full_like(FOUND.probabilities, 1 / 3))
    assert slope_of(found, 0)(EVERYBODY) is None
    assert intercept_of(found, 0)(EVERYBODY) == pytest.approx(np.log(1.5) - np.log(0.5), abs=1e-6)
