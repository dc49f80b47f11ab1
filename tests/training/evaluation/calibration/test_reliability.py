import numpy as np
import pytest
from scipy.special import expit, logit

from training.evaluation.calibration.reliability import (
    calibration_error,
    recalibrate,
    reliability_curve,
    top_risks,
)

NAMES = ("none", "ill")


def two_risks(low, high, cases_low, cases_high, n=100):
    """n documents of each risk, so many of them cases: probabilities and labels."""
    risks = np.repeat([low, high], n)
    labels = np.concatenate([np.arange(n) < cases_low, np.arange(n) < cases_high]).astype(int)
    return np.column_stack([1 - risks, risks]), labels


def test_risks_that_come_true_have_slope_one_and_intercept_zero():
    for found in recalibrate(*two_risks(0.2, 0.6, 20, 60), NAMES):
        assert found.slope == pytest.approx(1, abs=1e-6)
        assert found.intercept == pytest.approx(0, abs=1e-6)


def test_the_slope_of_two_risks_is_the_ratio_of_log_odds():
    found = recalibrate(*two_risks(0.1, 0.9, 30, 80), NAMES)[1]
    assert (found.cases, found.others) == (110, 90)
    assert found.slope == pytest.approx((logit(0.8) - logit(0.3)) / (logit(0.9) - logit(0.1)), abs=1e-6)


def test_one_risk_for_all_has_an_intercept_but_no_slope():
    found = recalibrate(*two_risks(0.2, 0.2, 40, 60), NAMES)[1]
    assert found.slope is None
    assert found.intercept == pytest.approx(logit(0.5) - logit(0.2))


def test_overconfident_risks_have_a_slope_below_one():
    chance = np.random.default_rng(0)
    log_odds = chance.normal(size=4000)
    risks = expit(2 * log_odds)
    labels = (chance.random(4000) < expit(log_odds)).astype(int)
    assert recalibrate(np.column_stack([1 - risks, risks]), labels, NAMES)[1].slope == pytest.approx(0.5, abs=0.06)


def test_a_perfect_separation_has_no_slope():
    assert recalibrate(*two_risks(0.2, 0.8, 0, 100), NAMES)[1].slope is None


def test_certainties_stay_finite():
    found = recalibrate(*two_risks(0.0, 1.0, 10, 90), NAMES)[1]
    assert 0 < found.slope < 1
    assert found.intercept == pytest.approx(0, abs=1e-6)


def test_an_outcome_without_cases_cannot_be_recalibrated():
    found = recalibrate(*two_risks(0.2, 0.6, 0, 0), NAMES)[1]
    assert (found.cases, found.slope, found.intercept) == (0, None, None)


def test_the_reliability_curve_counts_by_hand():
    probabilities, labels = two_risks(0.2, 0.6, 30, 50)
    low, high = reliability_curve(probabilities[:, 1], labels == 1, bins=2)
    assert (low.documents, low.mean_risk, low.observed) == (100, pytest.approx(0.2), 0.3)
    assert (high.documents, high.mean_risk, high.observed) == (100, pytest.approx(0.6), 0.5)
    # Wilson: (p + z2/2n -+ z sqrt(pq/n + z2/4n2)) / (1 + z2/n) of p = .3, n = 100.
    assert (low.low, low.high) == (pytest.approx(0.2189, abs=1e-4), pytest.approx(0.3958, abs=1e-4))


def test_equal_risks_share_a_bin():
    assert [one.documents for one in reliability_curve(np.full(50, 0.3), np.arange(50) < 10)] == [50]


def test_bins_hold_about_equally_many():
    risks = np.random.default_rng(0).random(203)
    assert {one.documents for one in reliability_curve(risks, risks > 0.5)} <= {20, 21}


def test_the_calibration_error_by_hand():
    probabilities, labels = two_risks(0.2, 0.6, 30, 50)
    assert calibration_error(probabilities[:, 1], labels == 1, bins=2, simulations=10).value == pytest.approx(0.1)


def test_a_perfectly_calibrated_model_shows_seven_hundredths_at_two_hundred_documents():
    chance = np.random.default_rng(0)
    nulls, values, p_values = [], [], []
    for _ in range(40):
        risks = chance.random(200)
        found = calibration_error(risks, chance.random(200) < risks, simulations=100)
        nulls.append(found.null_mean)
        values.append(found.value)
        p_values.append(found.p_value)
    assert np.mean(nulls) == pytest.approx(0.071, abs=0.003)
    assert np.mean(values) == pytest.approx(0.071, abs=0.006)
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.15)


def test_the_null_does_not_meet_the_numbers_that_drew_the_documents():
    # The seed's own stream would draw nobody ill in one simulation here, with a gap of .5.
    risks = np.random.default_rng(0).random(200)
    found = calibration_error(risks, np.zeros(200, dtype=bool), simulations=100, seed=0)
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.p_value == pytest.approx(1 / 101)


def test_the_null_shrinks_with_documents_and_reveals_a_miscalibrated_model():
    chance = np.random.default_rng(1)
    risks = chance.random(5000)
    found = calibration_error(risks, chance.random(5000) < risks**2, simulations=200)
    assert found.null_mean < 0.02
    assert found.value > found.null_high
    assert found.p_value == pytest.approx(1 / 201)


def test_the_calibration_error_of_nobody_is_refused():
    with pytest.raises(ValueError, match="labelled documents"):
        calibration_error(np.empty(0), np.empty(0, dtype=bool))


def test_top_risks_are_those_of_the_likeliest_outcome():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    risks, right = top_risks(probabilities, np.array([0, 2, -1]))
    assert risks.tolist() == [0.7, 0.5]
    assert right.tolist() == [True, False]
