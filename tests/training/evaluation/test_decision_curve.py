import numpy as np
import pytest

from training.evaluation.decisions import THRESHOLDS, decision_curve, net_benefit

RISKS = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.3, 0.1, 0.1, 0.0, 0.05])
CASES = np.arange(10) < 4


def test_net_benefit_by_hand():
    # From .2 on: 3 of 4 cases and 2 of 6 others; a false positive weighs .2 / .8.
    assert net_benefit(RISKS, CASES, 0.2) == pytest.approx(0.3 - 0.2 * 0.25)


def test_treating_all_by_hand():
    (point,) = decision_curve(RISKS, CASES, outcome="ill", thresholds=[0.2]).points
    assert point.treat_all == pytest.approx(0.4 - 0.6 * 0.25)
    assert point.gain == pytest.approx(0)


def test_treating_all_is_worth_nothing_at_the_prevalence():
    (point,) = decision_curve(RISKS, CASES, outcome="ill", thresholds=[0.4]).points
    assert point.treat_all == pytest.approx(0)


def test_beyond_the_prevalence_a_model_must_beat_treating_nobody():
    (point,) = decision_curve(RISKS, CASES, outcome="ill", thresholds=[0.65]).points
    assert point.treat_all < 0
    assert point.gain == point.model == pytest.approx(0.3)


def test_an_oracle_has_the_prevalence_at_every_threshold():
    curve = decision_curve(CASES.astype(float), CASES, outcome="ill")
    assert [point.model for point in curve.points] == pytest.approx([0.4] * len(THRESHOLDS))
    assert (curve.cases, curve.documents) == (4, 10)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_outside_its_range_is_refused(threshold):
    with pytest.raises(ValueError, match="between 0 and 1"):
        net_benefit(RISKS, CASES, threshold)


def test_a_curve_of_nobody_is_refused():
    with pytest.raises(ValueError, match="labelled documents"):
        net_benefit(np.empty(0), np.empty(0, dtype=bool), 0.2)
