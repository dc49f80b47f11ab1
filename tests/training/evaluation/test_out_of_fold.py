from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from training.evaluation.metrics import brier, log_loss, macro_auroc
from training.evaluation.out_of_fold import (
    auroc_of,
    average_precision_of,
    brier_of,
    gather_predictions,
    log_loss_of,
    macro_auroc_of,
    mean_ratio_of,
    measure_folds,
    over_repeats,
)
from training.folds.nested import OuterFold

FAMILIES = ("a", "b", "c", "d", "e")
LABELS = np.array([0, 1, 0, 1, 1])
NAMES = ("none", "ill")
EVERYBODY = np.arange(4)


def fold(repeat, number, test):
    return OuterFold(repeat=repeat, number=number, train=(), test=test, inner=())


FOLDS = (fold(0, 0, (0, 1)), fold(0, 1, (3, 4)), fold(1, 0, (1, 3)), fold(1, 1, (4, 0)))


def predicting(*risks):
    return np.column_stack([1 - np.array(risks), risks])


FOUND = gather_predictions(
    FOLDS,
    (predicting(0.1, 0.9), predicting(0.8, 0.7), predicting(0.6, 0.3), predicting(0.2, 0.4)),
    FAMILIES,
    LABELS,
    NAMES,
)


def test_predictions_find_their_places():
    assert FOUND.rows == (0, 1, 3, 4)
    assert FOUND.families == ("a", "b", "d", "e")
    assert FOUND.labels.tolist() == [0, 1, 1, 1]
    assert FOUND.probabilities[:, :, 1].tolist() == [[0.1, 0.9, 0.8, 0.7], [0.4, 0.6, 0.3, 0.2]]
    assert FOUND.fold_of.tolist() == [[0, 0, 1, 1], [1, 0, 0, 1]]


def test_folds_are_measured_separately_and_undefined_folds_are_counted():
    measured = measure_folds(FOUND)
    assert [one.measured.value for one in measured.by_fold] == [1.0, None, None, 0.0]
    assert [(one.repeat, one.number) for one in measured.by_fold] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (measured.undefined_folds, measured.undefined_aurocs) == (2, 4)
    assert measured.mean == 0.5
    assert measured.spread == pytest.approx(np.sqrt(0.5))


def test_a_metric_is_the_mean_over_repeats():
    assert macro_auroc_of(FOUND)(EVERYBODY) == pytest.approx((1 + 1 / 3) / 2)
    right = np.array([[0.9, 0.9, 0.8, 0.7], [0.6, 0.6, 0.3, 0.2]])
    assert log_loss_of(FOUND)(EVERYBODY) == pytest.approx(-np.log(right).mean())
    assert brier_of(FOUND)(EVERYBODY) == pytest.approx(2 * ((1 - right) ** 2).mean())


def test_rows_count_as_often_as_they_are_drawn():
    assert macro_auroc_of(FOUND)(np.array([0, 0, 1, 3, 3, 3])) == pytest.approx((1 + 1 / 4) / 2)


def test_a_metric_is_undefined_where_an_outcome_is_missing():
    assert macro_auroc_of(FOUND)(np.array([1, 2])) is None


def test_folds_without_a_defined_auroc_have_no_mean():
    found = gather_predictions(FOLDS[1:2], (predicting(0.8, 0.7),), FAMILIES, LABELS, NAMES)
    assert (measure_folds(found).mean, measure_folds(found).spread) == (None, None)


def test_a_document_tested_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        gather_predictions((FOLDS[0], fold(0, 1, (1, 3))), (predicting(0.1, 0.9),) * 2, FAMILIES, LABELS, NAMES)


def test_a_document_missing_from_a_repeat_is_refused():
    with pytest.raises(ValueError, match="every repeat"):
        gather_predictions(FOLDS[:3], (predicting(0.1, 0.9),) * 3, FAMILIES, LABELS, NAMES)


def noisy():
    """Three outcomes, three repeats, ties among the risks, a document without a label."""
    chance = np.random.default_rng(5)
    labels = chance.integers(3, size=40)
    labels[7] = -1
    risks = chance.integers(1, 6, size=(3, 40, 3)) + 2.0 * (labels[:, None] == np.arange(3))
    return replace(
        FOUND,
        rows=tuple(range(40)),
        families=tuple(map(str, range(40))),
        outcomes=("none", "ill", "rare"),
        labels=labels,
        probabilities=risks / risks.sum(axis=2, keepdims=True),
        fold_of=np.zeros((3, 40), dtype=int),
    )


@pytest.mark.parametrize("seed", range(5))
def test_quick_metrics_are_those_of_the_slow_loop_on_every_resample(seed):
    found = noisy()
    rows = np.random.default_rng(seed).integers(40, size=40)
    slow = {
        macro_auroc_of(found): lambda risks, labels: macro_auroc(risks, labels, found.outcomes).complete,
        auroc_of(found, 1): lambda risks, labels: macro_auroc(risks, labels, found.outcomes).by_outcome[1].value,
        average_precision_of(found, 2): lambda risks, labels: average_precision_score(
            labels[labels >= 0] == 2, risks[labels >= 0, 2]
        ),
        log_loss_of(found): log_loss,
        brier_of(found): lambda risks, labels: brier(risks, labels, found.outcomes).value,
    }
    for quick, measure in slow.items():
        assert quick(rows) == pytest.approx(over_repeats(found, measure)(rows), abs=1e-12)


def test_average_precision_by_hand():
    # Case, other, case, other from the highest risk down: precision 1 and 2/3 where recall rises.
    predictions = replace(
        FOUND,
        labels=np.array([1, 0, 1, 0]),
        probabilities=predicting(0.9, 0.8, 0.7, 0.1)[None],
        fold_of=FOUND.fold_of[:1],
    )
    assert average_precision_of(predictions, 1)(EVERYBODY) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_without_a_case_is_undefined():
    assert average_precision_of(FOUND, 1)(np.array([0, 0])) is None


def test_a_risk_that_is_no_number_is_refused():
    broken = replace(FOUND, probabilities=np.full_like(FOUND.probabilities, np.nan))
    with pytest.raises(ValueError, match="diverged"):
        auroc_of(broken, 0)


def test_a_mean_of_ratios_by_hand():
    above, below = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    assert mean_ratio_of(above, below)(np.arange(3)) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert mean_ratio_of(above, below)(np.array([0])) is None
