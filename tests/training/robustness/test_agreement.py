import numpy as np
import pytest

from training.robustness.agreement import intraclass_correlation

# Shrout and Fleiss 1979, table 2: six targets, four judges; ICC(2,1) is .29.
JUDGED = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_the_published_example_has_its_published_value():
    assert intraclass_correlation(np.array(JUDGED, dtype=np.float64)) == pytest.approx(0.29, abs=0.005)


def test_equal_measurements_agree_and_a_shift_counts_as_disagreement():
    values = np.array([0.1, 0.4, 0.6, 0.9])
    assert intraclass_correlation(np.column_stack([values, values])) == pytest.approx(1)
    shifted = intraclass_correlation(np.column_stack([values, values + 0.5]))
    assert shifted is not None
    assert shifted < 0.5


def test_too_few_recordings_or_no_variation_have_no_agreement():
    assert intraclass_correlation(np.array([[0.1, 0.2], [0.3, 0.4]])) is None
    assert intraclass_correlation(np.full((5, 2), 0.5)) is None
