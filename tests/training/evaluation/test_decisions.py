import numpy as np
import pytest

from training.evaluation.bootstrap import BootstrapSettings
from training.evaluation.decisions import THRESHOLDS, measure_decisions, net_benefit
from training.evaluation.evidence import ArmEvidence
from training.evaluation.out_of_fold import OutOfFoldPredictions

RISKS = np.array([[0.1, 0.4, 0.7, 0.6], [0.2, 0.8, 0.3, 0.6]])
LABELS = np.array([0, 1, 1, 0])
FOLD_OF = np.array([[0, 0, 1, 1], [1, 0, 1, 0]])


def arm(labels=LABELS):
    probabilities = np.stack([1 - RISKS, RISKS], axis=2)
    found = OutOfFoldPredictions(
        rows=(0, 1, 2, 3),
        families=("a", "b", "c", "d"),
        outcomes=("none", "ill"),
        labels=labels,
        probabilities=probabilities,
        fold_of=FOLD_OF,
    )
    thresholds = np.array([[[0.5, 0.4], [0.5, 0.65]], [[0.5, 0.5], [0.5, 0.25]]])
    return ArmEvidence(
        name="hilbert",
        title="HILBERT",
        predictions=found,
        thresholds=thresholds,
        temperatures=np.ones((2, 2)),
        uncalibrated=probabilities,
        candidates=1,
        chosen=(),
        seconds=0.0,
    )


FOUND = measure_decisions(arm(), BootstrapSettings(resamples=100))


def test_the_likeliest_outcome_by_hand():
    # Repeat 1 decides 0 0 1 1, repeat 2 decides 0 1 0 1.
    assert FOUND.argmax.counts == ((2, 2), (2, 2))
    assert [one.value for one in FOUND.argmax.recalls] == [0.5, 0.5]
    assert FOUND.argmax.balanced_accuracy.value == 0.5


def test_a_document_is_decided_by_the_threshold_of_its_test_fold():
    # Repeat 1: .1 < .4, .4 >= .4, .7 >= .65, .6 < .65. Repeat 2: .2 < .25, .8 >= .5, .3 >= .25, .6 >= .5.
    ill = FOUND.at_thresholds[1]
    assert (ill.sensitivity.value, ill.specificity.value) == (1.0, 0.75)
    assert ill.precision.value == pytest.approx(2 / 2.5)
    assert ill.balanced_accuracy.value == 0.875
    assert (ill.threshold_least, ill.threshold_largest) == (0.25, 0.65)


def test_net_benefit_is_the_mean_over_repeats():
    curve = FOUND.curves[1]
    for point in curve.points:
        each = [net_benefit(risks, LABELS == 1, point.threshold) for risks in RISKS]
        assert point.model.value == pytest.approx(np.mean(each))
    assert curve.points[19].treat_all == pytest.approx(0.5 - 0.5 * 0.25)


def test_thresholds_are_useful_where_the_model_beats_treating_all_and_treating_none():
    curve = FOUND.curves[1]
    beats = [point.threshold for point in curve.points if point.model.value > max(point.treat_all, 0)]
    assert curve.useful == tuple(beats)
    assert beats


def test_documents_without_a_label_decide_nothing():
    found = measure_decisions(arm(np.array([0, 1, 1, -1])), BootstrapSettings(resamples=100))
    assert found.argmax.counts == ((2, 0), (2, 2))
    assert (found.at_thresholds[1].others, found.curves[1].documents) == (1, 3)
    assert found.at_thresholds[1].specificity.value == 1.0


SCORES = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.3, 0.1, 0.1, 0.0, 0.05])
CASES = np.arange(10) < 4
TREAT_ALL = np.ones(10)


def test_net_benefit_by_hand():
    # From .2 on: 3 of 4 cases and 2 of 6 others; a false positive weighs .2 / .8.
    assert net_benefit(SCORES, CASES, 0.2) == pytest.approx(0.3 - 0.2 * 0.25)


def test_net_benefit_of_treating_all_is_zero_at_the_prevalence():
    assert net_benefit(TREAT_ALL, CASES, 0.2) == pytest.approx(0.4 - 0.6 * 0.25)
    assert net_benefit(TREAT_ALL, CASES, 0.4) == pytest.approx(0)
    assert net_benefit(TREAT_ALL, CASES, 0.65) < 0


def test_an_oracle_has_the_prevalence_as_net_benefit_at_every_threshold():
    assert [net_benefit(CASES.astype(float), CASES, value) for value in THRESHOLDS] == pytest.approx([0.4] * 50)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_outside_its_range_is_refused(threshold):
    with pytest.raises(ValueError, match="between 0 and 1"):
        net_benefit(SCORES, CASES, threshold)


def test_net_benefit_without_documents_is_refused():
    with pytest.raises(ValueError, match="labelled documents"):
        net_benefit(np.empty(0), np.empty(0, dtype=bool), 0.2)
