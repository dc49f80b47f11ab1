import numpy as np
import pytest

from training.evaluation.calibration.temperature import fit_temperature
from training.evaluation.metrics import log_loss, softmax


def draw(temperature, *, documents=20000):
    """Logits whose labels follow softmax(logits / temperature)."""
    chance = np.random.default_rng(1)
    logits = chance.normal(0, 2, size=(documents, 3))
    cumulated = softmax(logits / temperature).cumsum(axis=1)
    return logits, (chance.random((documents, 1)) > cumulated).sum(axis=1).clip(max=2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    logits, labels = draw(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_calibrating_lowers_the_log_loss_of_an_overconfident_network():
    logits, labels = draw(3.0, documents=500)
    calibrated = softmax(logits / fit_temperature(logits, labels))
    assert log_loss(calibrated, labels) < log_loss(softmax(logits), labels) - 0.05


def test_without_labels_nothing_is_changed():
    assert fit_temperature(np.ones((3, 2)), np.array([-1, -1, -1])) == 1.0


def test_a_separable_sample_keeps_to_the_bounds():
    assert fit_temperature(np.array([[5.0, 0.0], [0.0, 5.0]]), np.array([0, 1])) >= 0.05
