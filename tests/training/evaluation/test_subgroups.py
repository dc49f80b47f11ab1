import numpy as np
import pytest

from training.evaluation.bootstrap import BootstrapSettings
from training.evaluation.subgroups import measure_subgroups, name_age_bands

SETTINGS = BootstrapSettings(resamples=100)
VALUES = np.concatenate([np.full(12, 1.0), np.full(10, 3.0), np.full(4, 7.0)])
FAMILIES = [str(row // 2) for row in range(26)]
LABELS = np.array([0, 1] * 12 + [2, -1])
SEX = ["female"] * 12 + ["male"] * 10 + [""] * 4


def mean(rows):
    return float(VALUES[rows].mean())


def test_each_level_is_measured_on_its_own_rows():
    female, male, unknown = measure_subgroups(mean, FAMILIES, LABELS, {"sex": SEX}, SETTINGS)
    assert (female.level, female.documents, female.families, female.cases) == ("female", 12, 6, (6, 6, 0))
    assert (female.interval.value, male.interval.value) == (1.0, 3.0)
    assert female.interval.families == 6
    assert (unknown.level, unknown.cases) == ("unknown", (1, 1, 1))


def test_a_small_subgroup_is_counted_but_not_measured():
    *_, unknown = measure_subgroups(mean, FAMILIES, LABELS, {"sex": SEX}, SETTINGS)
    assert (unknown.documents, unknown.interval) == (4, None)


def test_every_covariate_has_its_rows():
    found = measure_subgroups(mean, FAMILIES, LABELS, {"sex": SEX, "device": ["phone"] * 26}, SETTINGS)
    assert [(one.covariate, one.level) for one in found][-1] == ("device", "phone")
    assert found[-1].interval.value == pytest.approx(VALUES.mean())


def test_an_age_band_holds_its_lower_edge():
    bands = name_age_bands(np.array([12.0, 17.9, 18.0, 29.9, 30.0, 45.0, 60.0, 88.0, np.nan]))
    assert bands == (
        *("under 18", "under 18", "18-29", "18-29", "30-44", "45-59", "60 and over", "60 and over"),
        "unknown",
    )
