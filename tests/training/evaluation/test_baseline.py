from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.baseline import (
    BaselineSettings,
    Covariates,
    compare_with_baseline,
    predict_baseline,
)
from training.evaluation.bootstrap import BootstrapSettings
from training.evaluation.out_of_fold import gather_predictions, macro_auroc_of
from training.folds.nested import FoldSettings, draw_folds

NAMES = ("none", "ill", "rare")
N = 240
CHANCE = np.random.default_rng(0)
FAMILIES = [str(row // 2) for row in range(N)]
LABELS = CHANCE.permutation(np.repeat(np.arange(3), [160, 50, 30]))
FOLDS = draw_folds(FAMILIES, LABELS, NAMES, FoldSettings(repeats=1, folds=3, inner=2))
SETTINGS = BootstrapSettings(resamples=200)
BLANK = Covariates(
    age=CHANCE.normal(40, 12, N),
    sex=tuple(CHANCE.choice(["female", "male", ""], N).tolist()),
    duration=CHANCE.gamma(4, 200, N),
    noise_ratio=np.where(CHANCE.random(N) < 0.2, np.nan, CHANCE.normal(20, 6, N)),
)


def run(covariates, labels=LABELS):
    predicted = predict_baseline(covariates, labels, NAMES, FOLDS, BaselineSettings())
    return gather_predictions(FOLDS, predicted, FAMILIES, labels, NAMES)


def test_probabilities_sum_to_one():
    assert run(BLANK).probabilities.sum(axis=2) == pytest.approx(np.ones((1, N)))


def test_covariates_that_say_nothing_predict_nothing():
    assert macro_auroc_of(run(BLANK))(np.arange(N)) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    "telling",
    [
        {"age": BLANK.age + 15 * LABELS},
        {"duration": BLANK.duration * 3.0**LABELS},
        {"noise_ratio": BLANK.noise_ratio - 10 * LABELS},
        {"sex": tuple("male" if label else "female" for label in LABELS)},
    ],
    ids=lambda telling: next(iter(telling)),
)
def test_a_shortcut_in_any_covariate_is_found(telling):
    assert macro_auroc_of(run(replace(BLANK, **telling)))(np.arange(N)) > 0.65


def test_that_a_covariate_is_missing_may_tell_too():
    gaps = np.where(LABELS == 1, np.nan, BLANK.noise_ratio)
    assert macro_auroc_of(run(replace(BLANK, noise_ratio=gaps)))(np.arange(N)) > 0.65


def test_a_covariate_without_values_is_accepted():
    found = run(replace(BLANK, age=np.full(N, np.nan), sex=("",) * N))
    assert np.isfinite(found.probabilities).all()


def test_test_labels_do_not_reach_the_predictions():
    fold = FOLDS[0]
    turned = LABELS.copy()
    turned[list(fold.test)] = 0
    one, other = (predict_baseline(BLANK, labels, NAMES, [fold], BaselineSettings())[0] for labels in (LABELS, turned))
    assert np.array_equal(one, other)


def test_documents_without_a_label_are_predicted_but_teach_nothing():
    labels = LABELS.copy()
    labels[:10] = -1
    found = run(BLANK, labels)
    assert np.isfinite(found.probabilities).all()


def test_a_model_must_beat_the_baseline_beyond_chance():
    baseline = run(BLANK)
    scores = CHANCE.normal(size=(N, 3)) + 1.5 * np.eye(3)[LABELS]
    good = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = replace(baseline, probabilities=good[None])
    assert compare_with_baseline(found, baseline, SETTINGS).larger
    assert not compare_with_baseline(baseline, baseline, SETTINGS).larger


def test_a_model_and_a_baseline_on_different_documents_are_not_compared():
    baseline = run(BLANK)
    with pytest.raises(ValueError, match="different documents"):
        compare_with_baseline(replace(baseline, rows=baseline.rows[:-1]), baseline, SETTINGS)
