import numpy as np
import pytest

from tests.training.fabricated import fabricate
from training.evaluation.bootstrap import BootstrapSettings
from training.evaluation.conformal.cross_conformal import measure_sets, predict_cross_conformal
from training.evaluation.conformal.prediction_sets import fit_marginal
from training.evaluation.out_of_fold import OutOfFoldPredictions

SETTINGS = BootstrapSettings(resamples=100)


def of_two_folds(right, labels, fold_of):
    """One repeat of two outcomes; `right` is the probability of each document's right outcome."""
    labels, right = np.array(labels), np.array(right)
    risk = np.where(labels == 1, right, 1 - right)
    return OutOfFoldPredictions(
        rows=tuple(range(len(labels))),
        families=tuple(map(str, range(len(labels)))),
        outcomes=("none", "ill"),
        labels=labels,
        probabilities=np.column_stack([1 - risk, risk])[None],
        fold_of=np.array(fold_of)[None],
    )


# Nine documents a fold at alpha .1: the worst of the other fold is the threshold, .4 for fold 0 and .7 for fold 1.
WORLD = of_two_folds(
    right=[0.3, 0.35, *[0.9] * 7, 0.6, 0.65, *[0.9] * 7],
    labels=[0] * 17 + [1],
    fold_of=[0] * 9 + [1] * 9,
)


def test_a_fold_s_sets_are_calibrated_on_the_other_fold():
    sets = predict_cross_conformal(WORLD, fit_marginal, 0.1)[0]
    # Fold 0, threshold .4: only probabilities from .6 on are in, so the two of .3 and .35 hold the wrong outcome.
    assert sets[0].tolist() == [False, True]
    assert sets[1].tolist() == [False, True]
    assert sets[2].tolist() == [True, False]
    # Fold 1, threshold .7: from .3 on, so the right .6 and the wrong .4 are both in.
    assert sets[9].tolist() == [True, True]
    assert sets[17].tolist() == [False, True]


def test_coverage_and_sizes_by_hand():
    found = measure_sets(WORLD, 0.1, SETTINGS).marginal
    assert found.overall.coverage.value == pytest.approx(16 / 18)
    assert found.overall.size.value == pytest.approx((16 + 2 * 2) / 18)
    assert found.sizes == pytest.approx((0, 16 / 18, 2 / 18))
    none, ill = found.by_outcome
    assert (none.cases, none.coverage.value) == (17, pytest.approx(15 / 17))
    assert (ill.cases, ill.coverage.value) == (1, 1.0)
    assert found.fewest_calibration_cases == (8, 0)


def test_the_coverage_of_a_single_case_has_no_interval():
    ill = measure_sets(WORLD, 0.1, SETTINGS).marginal.by_outcome[1]
    assert (ill.coverage.low, ill.coverage.high) == (None, None)


def test_sets_of_too_few_are_withheld_with_the_reason():
    found = measure_sets(WORLD, 0.1, SETTINGS)
    assert found.class_conditional is None
    assert found.withheld == (
        "No class-conditional sets at alpha 0.1: they need 9 calibration cases, "
        "and the fewest in any fold were none 8, ill 0.",
    )


def test_documents_without_a_label_get_sets_but_are_not_counted():
    found = measure_sets(
        of_two_folds(right=[0.9] * 20, labels=[-1, *[0] * 19], fold_of=[0] * 10 + [1] * 10), 0.1, SETTINGS
    )
    assert found.marginal.overall.cases == 19


def test_sets_cover_about_as_promised():
    found = measure_sets(fabricate(300, seed=3).arms[0].predictions, 0.1, SETTINGS)
    assert found.marginal.overall.coverage.value == pytest.approx(0.9, abs=0.03)
    assert [one.coverage.value for one in found.class_conditional.by_outcome] == pytest.approx([0.9] * 3, abs=0.05)
