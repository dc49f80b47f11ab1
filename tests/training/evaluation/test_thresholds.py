import numpy as np
import pytest

from training.evaluation.thresholds import Threshold, choose_threshold, measure_threshold

RISKS = np.array([0.1, 0.2, 0.3, 0.6, 0.8])
CASES = np.array([False, False, True, False, True])


def test_the_threshold_lies_midway_below_the_best_risk():
    # From .3 on: both cases and one of three others, 1 - 1/3; from .8 on: one of two cases and no other, 1/2.
    found = choose_threshold(RISKS, CASES)
    assert found.value == pytest.approx(0.25)
    assert (found.cases, found.others) == (2, 3)


def test_of_equally_good_thresholds_the_lowest_is_chosen():
    assert choose_threshold(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True])).value == 0.25


def test_risks_all_alike_put_everybody_above():
    assert choose_threshold(np.full(4, 0.3), np.array([True, False, False, True])).value == 0.3


def test_no_other_threshold_is_better():
    chance = np.random.default_rng(3)
    risks, is_case = chance.integers(0, 20, 60) / 20, chance.random(60) < 0.3
    best = measure_threshold(choose_threshold(risks, is_case), risks, is_case).balanced_accuracy
    for value in np.unique(risks):
        other = measure_threshold(Threshold(value=float(value), cases=1, others=1), risks, is_case)
        assert other.balanced_accuracy <= best + 1e-12


def test_a_threshold_is_measured_on_other_documents():
    found = measure_threshold(Threshold(value=0.5, cases=1, others=1), RISKS, CASES)
    counts = (found.true_positives, found.false_positives, found.true_negatives, found.false_negatives)
    assert counts == (1, 1, 2, 1)
    assert (found.sensitivity, found.specificity) == (0.5, pytest.approx(2 / 3))
    assert found.balanced_accuracy == pytest.approx((0.5 + 2 / 3) / 2)


def test_without_cases_sensitivity_is_undefined():
    found = measure_threshold(Threshold(value=0.5, cases=1, others=1), RISKS, np.zeros(5, dtype=bool))
    assert (found.sensitivity, found.balanced_accuracy) == (None, None)
    assert found.specificity == 0.6


@pytest.mark.parametrize("is_case", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_a_threshold_cannot_be_chosen_by_one_side_alone(is_case):
    with pytest.raises(ValueError, match="cases and others"):
        choose_threshold(RISKS, is_case)
