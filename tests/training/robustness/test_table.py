import numpy as np
import pytest

from training.robustness.page import draw_changes, render_card_section, render_page
from training.robustness.settings import RobustnessBound
from training.robustness.table import RobustnessTable, agreement_of_halves, condition_row

OUTCOMES = ("none", "ill")


def risks(ill):
    return np.array([1 - ill, ill])


def row(name="gain -6 dB", group="gain"):
    pairs = [(risks(0.2), risks(0.3)), (risks(0.6), risks(0.4)), (risks(0.5), None)]
    return condition_row(group, name, pairs, OUTCOMES)


def table(**bounds):
    return RobustnessTable(
        task="spectrum",
        outcomes=OUTCOMES,
        network="sha256:n",
        encoders={"speech": "s", "text": "t"},
        recordings=3,
        unscored=1,
        synthetic=True,
        seed=1,
        rows=(row(),),
        halves={"none": 0.5, "ill": None},
        bounds={name: RobustnessBound(**bound) for name, bound in bounds.items()},
    )


def test_a_row_summarises_the_recordings_that_are_scored_both_times():
    summary = row()
    assert (summary.recordings, summary.abstained) == (2, 1)
    assert summary.mean_change == pytest.approx({"none": 0.15, "ill": 0.15})
    assert summary.largest_change == pytest.approx(0.2)
    assert summary.top_changed == 0.5


def test_a_condition_that_nothing_is_scored_under_has_no_change():
    summary = condition_row("gain", "gain -60 dB", [(risks(0.2), None)], OUTCOMES)
    assert (summary.recordings, summary.abstained, summary.mean_change, summary.top_changed) == (0, 1, {}, None)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ({"mean_change": 0.1}, "change by 0.150 on average, more than 0.1"),
        ({"top_changed": 0.4}, "the likeliest outcome changes in 50%, more than 40%"),
        ({"abstained": 0.0}, "33% of the recordings get no score, more than 0%"),
    ],
)
def test_a_broken_bound_is_named(bound, words):
    (problem,) = table(gain=bound).violations()
    assert problem.startswith("gain -6 dB: ")
    assert words in problem


def test_a_kept_bound_and_a_bound_of_another_condition_say_nothing():
    kept = {"mean_change": 0.2, "top_changed": 0.5, "abstained": 0.4}
    assert table(gain=kept, Opus={"mean_change": 0.01}).violations() == ()


def test_the_bound_of_a_condition_goes_before_that_of_its_group():
    assert table(**{"gain": {"mean_change": 0.01}, "gain -6 dB": {"mean_change": 0.5}}).violations() == ()


def test_halves_agree_over_recordings_of_which_both_are_scored():
    first = [risks(0.1), risks(0.5), risks(0.9), None]
    second = [risks(0.1), risks(0.5), risks(0.9), risks(0.4)]
    assert agreement_of_halves(first, second, OUTCOMES) == pytest.approx({"none": 1.0, "ill": 1.0})
    assert agreement_of_halves(first[2:], second[2:], OUTCOMES) == {"none": None, "ill": None}


def test_the_page_and_the_card_show_every_row_and_each_broken_bound():
    shown = table(gain={"mean_change": 0.1})
    page, card = render_page(shown), "\n\n".join(render_card_section(shown))
    for text in (page, card):
        assert "gain -6 dB" in text
        assert "0.150" in text
        assert "none 0.50, ill undefined" in text
        assert "synthetic" in text
    assert "Bounds that are broken" in page
    assert "http://www.w3.org" in draw_changes(shown)
    assert draw_changes(shown) == draw_changes(shown)
