import numpy as np
import pytest

from training.evaluation.decisions import choose_threshold

RISKS = np.array([0.1, 0.2, 0.3, 0.6, 0.8])
CASES = np.array([False, False, True, False, True])


def test_the_threshold_lies_midway_below_the_best_risk():
    # From .3 on: both cases and one of three others, 1 - 1/3; from .8 on: one of two cases and no other, 1/2.
    assert choose_threshold(RISKS, CASES) == pytest.approx(0.25)


def test_of_equally_good_thresholds_the_lowest_is_chosen():
    assert choose_threshold(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True])) == 0.25


def test_risks_all_alike_put_everybody_above():
    assert choose_threshold(np.full(4, 0.3), np.array([True, False, False, True])) == 0.3


def test_no_other_threshold_has_a_better_balanced_accuracy():
    rng = np.random.default_rng(3)
    risks, is_case = rng.integers(0, 20, 60) / 20, rng.random(60) < 0.3

    def balanced_accuracy(threshold):
        flagged = risks >= threshold
        return (flagged[is_case].mean() + (~flagged)[~is_case].mean()) / 2

    best = balanced_accuracy(choose_threshold(risks, is_case))
    assert all(balanced_accuracy(value) <= best + 1e-12 for value in np.unique(risks))


@pytest.mark.parametrize("is_case", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_a_threshold_needs_both_cases_and_controls(is_case):
    with pytest.raises(ValueError, match="cases and others"):
        choose_threshold(RISKS, is_case)
