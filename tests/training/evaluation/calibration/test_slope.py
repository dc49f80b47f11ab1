from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from tests.training.fabricated import fabricate
from training.evaluation.calibration.slope import intercept_of, slope_of
from training.evaluation.out_of_fold import OutOfFoldPredictions

PREDICTIONS = fabricate(150).arms[0].predictions
ALL_ROWS = np.arange(len(PREDICTIONS.rows))


def predict(risks, labels):
    """Predictions of two outcomes in one repeat."""
    risks, labels = np.array(risks), np.array(labels)
    return OutOfFoldPredictions(
        rows=tuple(range(len(labels))),
        families=tuple(map(str, range(len(labels)))),
        outcomes=("none", "ill"),
        labels=labels,
        probabilities=np.column_stack([1 - risks, risks])[None],
        fold_of=np.zeros((1, len(labels)), dtype=int),
    )


def two_risks(low, high, cases_low, cases_high, n=100):
    """Predictions for n documents of each risk, of which so many are cases."""
    labels = np.concatenate([np.arange(n) < cases_low, np.arange(n) < cases_high]).astype(int)
    return predict(np.repeat([low, high], n), labels)


def fit(predictions, outcome=1):
    rows = np.arange(len(predictions.rows))
    return slope_of(predictions, outcome)(rows), intercept_of(predictions, outcome)(rows)


def by_library(rows, outcome):
    """Mean over repeats of the slope by scikit-learn and the intercept by brentq."""
    slopes, intercepts = [], []
    is_case = PREDICTIONS.labels[rows] == outcome
    for probabilities in PREDICTIONS.probabilities:
        log_odds = logit(probabilities[rows, outcome])
        model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=200)
        slopes.append(model.fit(log_odds[:, None], is_case).coef_[0, 0])
        intercepts.append(brentq(lambda shift, x=log_odds: expit(x + shift).sum() - is_case.sum(), -20, 20))
    return np.mean(slopes), np.mean(intercepts)


@pytest.mark.parametrize("outcome", range(3))
def test_slope_and_intercept_agree_with_the_libraries(outcome):
    slope, intercept = by_library(ALL_ROWS, outcome)
    assert slope_of(PREDICTIONS, outcome)(ALL_ROWS) == pytest.approx(slope, abs=1e-4)
    assert intercept_of(PREDICTIONS, outcome)(ALL_ROWS) == pytest.approx(intercept, abs=1e-6)


def test_a_document_counts_as_often_as_it_was_drawn():
    rows = np.random.default_rng(0).integers(len(ALL_ROWS), size=len(ALL_ROWS))
    slope, intercept = by_library(rows, 1)
    assert slope_of(PREDICTIONS, 1)(rows) == pytest.approx(slope, abs=1e-4)
    assert intercept_of(PREDICTIONS, 1)(rows) == pytest.approx(intercept, abs=1e-6)


def test_calibrated_risks_have_slope_one_and_intercept_zero():
    predictions = two_risks(0.2, 0.6, 20, 60)
    for outcome in range(2):
        assert fit(predictions, outcome) == pytest.approx((1, 0), abs=1e-6)


def test_the_slope_of_two_risks_is_the_ratio_of_log_odds():
    slope, _ = fit(two_risks(0.1, 0.9, 30, 80))
    assert slope == pytest.approx((logit(0.8) - logit(0.3)) / (logit(0.9) - logit(0.1)), abs=1e-6)


def test_overconfident_risks_have_a_slope_below_one():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=4000)
    labels = (rng.random(4000) < expit(log_odds)).astype(int)
    assert fit(predict(expit(2 * log_odds), labels))[0] == pytest.approx(0.5, abs=0.06)


def test_risks_of_zero_and_one_have_a_finite_intercept():
    _, intercept = fit(two_risks(0.0, 1.0, 10, 90))
    assert intercept == pytest.approx(0, abs=1e-6)


def test_neither_is_defined_without_cases_or_without_others():
    for rows in (np.flatnonzero(PREDICTIONS.labels != 1), np.flatnonzero(PREDICTIONS.labels == 1)):
        assert slope_of(PREDICTIONS, 1)(rows) is None
        assert intercept_of(PREDICTIONS, 1)(rows) is None


def test_perfectly_separating_risks_have_no_slope():
    certain = np.where(np.eye(3)[PREDICTIONS.labels] == 1, 0.8, 0.1) + np.linspace(-0.01, 0.01, 150)[:, None]
    predictions = replace(PREDICTIONS, probabilities=np.stack([certain, certain]))
    assert slope_of(predictions, 1)(ALL_ROWS) is None
    assert intercept_of(predictions, 1)(ALL_ROWS) is not None
    assert fit(two_risks(0.2, 0.8, 0, 100))[0] is None


def test_equal_risks_have_an_intercept_but_no_slope():
    predictions = replace(PREDICTIONS, probabilities=np.full_like(PREDICTIONS.probabilities, 1 / 3))
    assert slope_of(predictions, 0)(ALL_ROWS) is None
    assert intercept_of(predictions, 0)(ALL_ROWS) == pytest.approx(np.log(1.5) - np.log(0.5), abs=1e-6)
    assert fit(two_risks(0.2, 0.2, 40, 60)) == (None, pytest.approx(logit(0.5) - logit(0.2)))
