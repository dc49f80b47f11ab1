import math

import numpy as np
import pytest

from training.metrics import log_loss, macro_auroc, softmax

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


def test_nothing_can_be_measured_on_one_outcome_alone():
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
