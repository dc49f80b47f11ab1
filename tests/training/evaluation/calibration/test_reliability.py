import numpy as np
import pytest

from training.evaluation.calibration.reliability import bins_of, calibration_error, top_risks


def two_risks(low, high, cases_low, cases_high, n=100) -> tuple[np.ndarray, np.ndarray]:
    """n documents of each risk, so many of them cases: probabilities and labels."""
    risks = np.repeat([low, high], n)
    labels = np.concatenate([np.arange(n) < cases_low, np.arange(n) < cases_high]).astype(int)
    return np.column_stack([1 - risks, risks]), labels


def test_equal_risks_share_a_bin():
    assert np.unique(bins_of(np.full(50, 0.3), 10)).size == 1


def test_bins_hold_about_equally_many_documents():
    counts = np.bincount(bins_of(np.random.default_rng(0).random(203), 10))
    assert set(counts.tolist()) <= {20, 21}


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


def test_the_calibration_error_of_no_documents_is_refused():
    with pytest.raises(ValueError, match="labelled documents"):
        calibration_error(np.empty(0), np.empty(0, dtype=bool))


def test_top_risks_are_those_of_the_likeliest_outcome():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    risks, right = top_risks(probabilities, np.array([0, 2, -1]))
    assert risks.tolist() == [0.7, 0.5]
    assert right.tolist() == [True, False]
