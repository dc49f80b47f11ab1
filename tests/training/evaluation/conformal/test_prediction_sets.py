import numpy as np
import pytest

from training.errors import TooFewCalibrationCasesError
from training.evaluation.conformal.prediction_sets import (
    fewest_cases,
    fit_class_conditional,
    fit_marginal,
    predict_sets,
)

NAMES = ("none", "ill")
RARE = ("none", "ill", "rare")


def of_right(*right) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of documents of outcome 0 that give it these probabilities."""
    return np.column_stack([right, 1 - np.array(right)]), np.zeros(len(right), dtype=int)


def draw(chance, n, shares=(0.8, 0.15, 0.05)) -> tuple[np.ndarray, np.ndarray]:
    """Documents from a world whose probabilities are not quite right: overconfident, and blind to the rare outcome."""
    labels = chance.choice(3, size=n, p=shares)
    logits = chance.normal(size=(n, 3)) + 1.5 * np.eye(3)[labels] + np.log(shares)
    exponentials = np.exp(1.4 * logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True), labels


def hits(fitted, probabilities, labels):
    """Whether the set of each document holds its outcome."""
    return predict_sets(fitted, probabilities)[np.arange(len(labels)), labels]


@pytest.mark.parametrize(("alpha", "fewest"), [(0.1, 9), (0.05, 19), (0.2, 4), (0.5, 1), (0.01, 99), (0.3, 3)])
def test_the_fewest_cases_follow_from_the_quantile(alpha, fewest):
    assert fewest_cases(alpha) == fewest


def test_alpha_is_a_share():
    with pytest.raises(ValueError, match="between 0 and 1"):
        fewest_cases(1.0)


def test_of_nine_documents_the_worst_sets_the_threshold():
    fitted = fit_marginal(*of_right(0.9, 0.8, 0.7, 0.95, 0.6, 0.85, 0.75, 0.65, 0.99), NAMES)
    assert fitted.thresholds == (pytest.approx(0.4), pytest.approx(0.4))
    assert fitted.calibration_cases == (9, 0)


def test_of_nineteen_documents_the_second_worst_sets_the_threshold():
    fitted = fit_marginal(*of_right(*(np.arange(1, 20) / 20)), NAMES)
    assert fitted.thresholds[0] == pytest.approx(1 - 2 / 20)


def test_a_set_holds_what_is_probable_enough():
    fitted = fit_marginal(*of_right(*[0.6] * 9), NAMES)
    sets = predict_sets(fitted, np.array([[0.6, 0.4], [0.5, 0.5], [0.2, 0.8]]))
    assert sets.tolist() == [[True, False], [False, False], [False, True]]


def test_marginal_sets_cover_as_promised_and_hardly_more():
    chance = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        fitted = fit_marginal(*draw(chance, 60), RARE)
        shares.append(hits(fitted, *draw(chance, 200)).mean())
    assert 0.9 - 0.01 <= np.mean(shares) <= 0.9 + 1 / 61 + 0.01


def test_marginal_sets_may_fail_a_rare_outcome_and_class_conditional_ones_do_not():
    chance = np.random.default_rng(1)
    calibration, test = draw(chance, 4000), draw(chance, 8000)
    marginal, conditional = fit_marginal(*calibration, RARE), fit_class_conditional(*calibration, RARE)
    by_marginal, by_conditional = hits(marginal, *test), hits(conditional, *test)
    assert by_marginal.mean() == pytest.approx(0.9, abs=0.02)
    assert by_marginal[test[1] == 2].mean() < 0.6
    assert [by_conditional[test[1] == index].mean() for index in range(3)] == pytest.approx([0.9] * 3, abs=0.05)
    assert predict_sets(conditional, test[0]).sum() > predict_sets(marginal, test[0]).sum()


def test_class_conditional_sets_are_refused_below_nine_cases_with_the_reason():
    labels = np.array([0] * 20 + [1] * 8)
    probabilities = np.full((28, 2), 0.5)
    with pytest.raises(TooFewCalibrationCasesError, match=r"needs 9 calibration cases.*too few: ill \(8\)"):
        fit_class_conditional(probabilities, labels, NAMES)
    enough = fit_class_conditional(np.full((29, 2), 0.5), np.append(labels, 1), NAMES)
    assert enough.class_conditional
    assert enough.calibration_cases == (20, 9)


def test_marginal_sets_are_refused_below_nine_documents():
    with pytest.raises(TooFewCalibrationCasesError, match=r"all outcomes together \(8\)"):
        fit_marginal(*of_right(*[0.6] * 8), NAMES)
