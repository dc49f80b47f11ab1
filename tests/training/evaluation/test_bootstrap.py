import numpy as np
import pytest

from training.evaluation.bootstrap import (
    BootstrapSettings,
    family_interval,
    family_ratios,
    family_shares,
    paired_difference,
)
from training.evaluation.metrics import auroc

SETTINGS = BootstrapSettings(resamples=500)


def mean_of(values):
    return lambda rows: float(values[rows].mean())


def auroc_of(scores, is_case):
    return lambda rows: auroc(scores[rows], is_case[rows])


def alone(n):
    return [str(row) for row in range(n)]


def width(interval):
    return interval.high - interval.low


def test_the_value_is_the_metric_on_all_documents():
    values = np.array([1.0, 2.0, 6.0])
    assert family_interval(mean_of(values), ["a", "b", "b"], SETTINGS).value == 3.0


def test_a_mean_of_independent_documents_has_its_textbook_interval():
    values = np.random.default_rng(0).normal(size=400)
    found = family_interval(mean_of(values), alone(400), BootstrapSettings(resamples=4000))
    error = values.std() / 20
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_four_copies_of_each_person_add_no_information():
    values = np.random.default_rng(0).normal(size=100)
    copied, families = np.repeat(values, 4), np.repeat(np.arange(100), 4).astype(str).tolist()
    once = family_interval(mean_of(values), alone(100), SETTINGS)
    clustered = family_interval(mean_of(copied), families, SETTINGS)
    naive = family_interval(mean_of(copied), alone(400), SETTINGS)
    assert width(clustered) == pytest.approx(width(once), rel=0.15)
    assert width(naive) == pytest.approx(width(clustered) / 2, rel=0.15)


def test_an_auroc_s_interval_is_wider_when_relatives_are_ill_together():
    chance = np.random.default_rng(1)
    family = np.repeat(np.arange(80), 4)
    is_case = (chance.random(80) < 0.3)[family]
    scores = is_case + 1.5 * chance.normal(size=80)[family] + 0.3 * chance.normal(size=320)
    with_families = family_interval(auroc_of(scores, is_case), family.astype(str).tolist(), SETTINGS)
    without = family_interval(auroc_of(scores, is_case), alone(320), SETTINGS)
    assert width(with_families) > 1.6 * width(without)


def test_the_interval_covers_the_true_value_at_its_nominal_rate():
    chance = np.random.default_rng(2)
    covered = 0
    for world in range(120):
        family = np.repeat(np.arange(60), 3)
        values = chance.normal(size=60)[family] + chance.normal(size=180)
        settings = BootstrapSettings(seed=world, resamples=200)
        found = family_interval(mean_of(values), family.astype(str).tolist(), settings)
        covered += found.low <= 0 <= found.high
    assert 0.88 <= covered / 120 <= 0.99


def test_the_seed_decides():
    values = np.random.default_rng(0).normal(size=50)
    one, same, other = (
        family_interval(mean_of(values), alone(50), BootstrapSettings(seed=seed, resamples=100)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_undefined_resamples_are_counted_and_too_many_give_no_interval():
    # One case alone: a resample misses it with probability (1 - 1/40)^40 = .363.
    is_case = np.arange(40) == 0
    found = family_interval(auroc_of(np.arange(40.0), is_case), alone(40), SETTINGS)
    assert found.undefined / found.resamples == pytest.approx(0.363, abs=0.06)
    assert (found.value, found.low, found.high) == (0.0, None, None)


def test_a_few_undefined_resamples_are_counted_beside_the_interval():
    is_case = np.arange(40) < 4
    found = family_interval(auroc_of(np.arange(40.0), is_case), alone(40), SETTINGS)
    assert 0 < found.undefined < 0.05 * found.resamples
    assert (found.low, found.high) == (0.0, 0.0)


def test_nan_counts_as_undefined():
    found = family_interval(lambda rows: float("nan"), alone(5), SETTINGS)
    assert (found.value, found.low, found.undefined) == (None, None, 500)


def test_one_family_has_no_interval():
    found = family_interval(mean_of(np.array([1.0, 2.0])), ["a", "a"], SETTINGS)
    assert (found.families, found.low, found.high) == (1, None, None)


def test_a_model_does_not_differ_from_itself():
    values = np.random.default_rng(0).normal(size=30)
    found = paired_difference(mean_of(values), mean_of(values), alone(30), SETTINGS)
    assert (found.interval.low, found.interval.high) == (0.0, 0.0)
    assert not found.larger


def test_a_paired_difference_sees_what_two_intervals_hide():
    chance = np.random.default_rng(3)
    shared = chance.normal(size=100)
    better, worse = shared + 0.1 + 0.05 * chance.normal(size=100), shared
    alone_better, alone_worse = (family_interval(mean_of(one), alone(100), SETTINGS) for one in (better, worse))
    assert alone_worse.high > alone_better.low
    assert paired_difference(mean_of(better), mean_of(worse), alone(100), SETTINGS).larger


def test_a_difference_is_undefined_where_either_is():
    found = paired_difference(lambda rows: 1.0, lambda rows: None, alone(5), SETTINGS)
    assert (found.interval.value, found.interval.undefined, found.larger) == (None, 500, False)


def test_ratios_at_once_have_the_intervals_of_each_alone():
    chance = np.random.default_rng(4)
    above, below = chance.random((60, 3)), chance.random((60, 3))
    families = [str(row // 3) for row in range(60)]
    together = family_ratios(above, below, families, SETTINGS)
    for column, found in enumerate(together):

        def ratio(rows, column=column):
            return float(above[rows, column].sum() / below[rows, column].sum())

        one = family_interval(ratio, families, SETTINGS)
        assert (found.value, found.low, found.high) == pytest.approx((one.value, one.low, one.high))


def test_a_ratio_over_nothing_is_undefined():
    (found,) = family_ratios(np.zeros((5, 1)), np.zeros((5, 1)), alone(5), SETTINGS)
    assert (found.value, found.low, found.undefined) == (None, None, 500)


def test_what_none_of_eight_families_shows_is_not_excluded():
    families = [str(row // 2) for row in range(16)]
    never, always = family_shares(np.repeat([[0.0, 1.0]], 16, axis=0), np.ones((16, 2)), families, SETTINGS)
    # Wilson's upper bound for 0 of 8: z^2 / (8 + z^2).
    assert (never.low, never.high) == (0.0, pytest.approx(3.8415 / 11.8415, abs=1e-4))
    assert (always.low, always.high) == (pytest.approx(1 - 3.8415 / 11.8415, abs=1e-4), 1.0)


def test_a_share_between_0_and_1_keeps_its_bootstrap_interval():
    hits = (np.arange(40) < 10).astype(float)[:, None]
    (found,) = family_shares(hits, np.ones((40, 1)), alone(40), SETTINGS)
    assert found == family_ratios(hits, np.ones((40, 1)), alone(40), SETTINGS)[0]
