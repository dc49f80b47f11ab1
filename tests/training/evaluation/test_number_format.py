import pytest

from training.evaluation.bootstrap import Interval
from training.evaluation.number_format import write_interval, write_number, write_percent

MINUS = "\N{MINUS SIGN}"


def interval(value, low, high):
    return Interval(value=value, low=low, high=high, level=0.95, families=9, resamples=100, undefined=0)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.784, 2, ".78"),
        (-0.012, 3, MINUS + ".012"),
        (1.0, 2, "1.00"),
        (0.999, 2, "1.00"),
        (0.0, 2, ".00"),
        (-0.001, 2, ".00"),
        (-1.5, 1, MINUS + "1.5"),
        (12.4, 0, "12"),
        (0.4, 0, "0"),
        (None, 2, "\N{EN DASH}"),
    ],
)
def test_a_number_has_no_leading_zero_and_a_true_minus(value, digits, written):
    assert write_number(value, digits) == written


def test_an_interval_stands_in_brackets():
    assert write_interval(interval(0.78, 0.73, 0.83)) == ".78 [.73, .83]"


def test_a_number_without_an_interval_has_no_brackets():
    assert write_interval(interval(0.78, None, None)) == ".78"


@pytest.mark.parametrize(("share", "written"), [(0.12, "12 %"), (0.05, "5.0 %"), (0.0, "0 %"), (1.0, "100 %")])
def test_small_shares_keep_a_decimal(share, written):
    assert write_percent(share).replace("\N{NO-BREAK SPACE}", " ") == written
