import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from training.evaluation.metrics import auroc, brier, log_loss, macro_auroc, softmax

NAMES = ("none", "ill")


def test_auroc_counts_pairs_in_the_right_order():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    measured = macro_auroc(probabilities, np.array([0, 0, 1, 1]), NAMES)
    assert measured.value == pytest.approx(0.75)  # of four pairs one is the wrong way round
    assert [(one.cases, one.others) for one in measured.by_outcome] == [(2, 2), (2, 2)]


def test_an_outcome_without_cases_is_counted_not_skipped_in_silence():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    measured = macro_auroc(probabilities, np.array([0, 1, 0]), ("none", "ill", "rare"))
    assert measured.undefined == 1
    assert measured.by_outcome[2].value is None
    assert measured.value == 1.0


def test_a_single_outcome_has_no_auroc():
    measured = macro_auroc(np.full((3, 2), 0.5), np.array([1, 1, 1]), NAMES)
    assert measured.value is None
    assert measured.undefined == 2


def test_missing_labels_are_left_out():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.0, 1.0]])
    assert macro_auroc(probabilities, np.array([0, 1, -1]), NAMES).by_outcome[1].cases == 1
    assert log_loss(probabilities, np.array([0, -1, -1])) == pytest.approx(-math.log(0.9))


def test_log_loss_of_nothing_is_nan():
    assert math.isnan(log_loss(np.full((2, 2), 0.5), np.array([-1, -1])))


def test_softmax_survives_large_logits():
    assert softmax(np.array([[1000.0, 1000.0 + math.log(3)]])) == pytest.approx(np.array([[0.25, 0.75]]))


def test_auroc_with_ties_is_scikit_learn_s():
    chance = np.random.default_rng(0)
    for _ in range(20):
        scores, is_case = chance.integers(0, 6, 40) / 6, chance.random(40) < 0.3
        assert auroc(scores, is_case) == pytest.approx(roc_auc_score(is_case, scores))


def test_the_complete_macro_auroc_needs_every_outcome():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.6, 0.2, 0.2]])
    assert macro_auroc(probabilities, np.array([0, 1, 0]), ("none", "ill", "rare")).complete is None
    assert macro_auroc(probabilities, np.array([0, 1, 2]), ("none", "ill", "rare")).complete is not None


def test_a_probability_that_is_not_finite_is_refused_where_it_counts():
    probabilities = np.array([[0.5, 0.5], [np.nan, np.nan]])
    assert macro_auroc(probabilities, np.array([0, -1]), NAMES).undefined == 2
    with pytest.raises(ValueError, match="not finite"):
        macro_auroc(probabilities, np.array([0, 1]), NAMES)


def test_the_brier_score_by_hand():
    found = brier(np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]), np.array([0, 0, 1]), NAMES)
    assert found.value == pytest.approx((0.08 + 0.72 + 0.5) / 3)
    assert [one.value for one in found.by_outcome] == pytest.approx([(0.04 + 0.36 + 0.25) / 3] * 2)
    assert found.by_outcome[1].of_prevalence == pytest.approx(2 / 9)
    assert found.skill == pytest.approx(1 - found.value / (4 / 9))


def test_the_brier_score_is_scikit_learn_s():
    chance = np.random.default_rng(1)
    probabilities, labels = chance.dirichlet(np.ones(4), 50), chance.integers(0, 4, 50)
    expected = brier_score_loss(labels, probabilities, scale_by_half=False)
    assert brier(probabilities, labels, tuple("abcd")).value == pytest.approx(expected)


def test_always_saying_the_prevalence_has_no_skill():
    labels = np.array([0] * 6 + [1] * 3 + [2])
    probabilities = np.tile([0.6, 0.3, 0.1], (10, 1))
    assert brier(probabilities, labels, ("none", "ill", "rare")).skill == pytest.approx(0)


def test_the_brier_score_of_no_documents_is_undefined():
    found = brier(np.full((2, 2), 0.5), np.array([-1, -1]), NAMES)
    assert (found.value, found.skill, found.by_outcome[0].cases) == (None, None, 0)
