from typing import Any

import pytest

from training.card.numbers import check_marked, fill, look_up, show
from training.errors import CardError

METRICS: dict[str, Any] = {
    "arms": [{"name": "full", "macro_auroc": {"value": 0.886_49, "cases": 150}}],
    "odd/name": 1,
    "absent": None,
}
AUROC = "/arms/0/macro_auroc/value"


def marked(pointer, shown):
    return f'<span data-metric="{pointer}">{shown}</span>'


def test_a_pointer_leads_to_a_number():
    assert look_up(METRICS, AUROC) == 0.886_49
    assert look_up(METRICS, "/odd~1name") == 1
    assert look_up(METRICS, "/absent") is None


@pytest.mark.parametrize("pointer", ["/arms/1/macro_auroc/value", "/arms/0/name", "/arms/0", "arms", "/arms/x"])
def test_a_pointer_that_leads_to_no_number_is_refused(pointer):
    with pytest.raises(CardError, match=pointer):
        look_up(METRICS, pointer)


@pytest.mark.parametrize(
    ("pointer", "form", "shown"),
    [
        (AUROC, ".3f", "0.886"),
        (AUROC, ".1%", "88.6%"),
        ("/arms/0/macro_auroc/cases", ".3f", "150"),
        ("/absent", ".3f", "undefined"),
    ],
)
def test_numbers_are_written_in_the_requested_format(pointer, form, shown):
    assert show(METRICS, pointer, form) == shown
    assert check_marked(marked(pointer, shown), METRICS) == 1


def test_without_an_evaluation_the_text_says_so():
    assert fill(f"An AUROC of {{{{ {AUROC} }}}}.", None, marked=True) == "An AUROC of not evaluated."


def test_named_numbers_are_filled_in_and_marked():
    text = f"An AUROC of {{{{ {AUROC} | .2f }}}} in {{{{/arms/0/macro_auroc/cases}}}} people."
    filled = fill(text, METRICS, marked=True)
    assert filled == f"An AUROC of {marked(AUROC, '0.89')} in {marked('/arms/0/macro_auroc/cases', '150')} people."
    assert check_marked(filled, METRICS) == 2
    assert fill(text, METRICS, marked=False) == "An AUROC of 0.89 in 150 people."


def test_a_typed_number_is_compared_at_its_own_digits():
    for right in ("0.886", "0.89", "0.9", "0.88649", "88.6 %", "89%"):
        assert check_marked(marked(AUROC, right), METRICS) == 1
    for wrong in ("0.887", "0.88", "88.7 %", "0.8864", "about 0.9", "", "undefined"):
        with pytest.raises(CardError, match=r"evaluation 0\.88649"):
            check_marked(marked(AUROC, wrong), METRICS)


def test_a_difference_names_the_metric_and_both_values():
    with pytest.raises(CardError) as refusal:
        check_marked(marked(AUROC, "0.901"), METRICS)
    assert str(refusal.value) == f"{AUROC}: the card says 0.901, the evaluation 0.88649"


def test_an_unknown_format_is_refused():
    with pytest.raises(CardError, match="format"):
        show(METRICS, AUROC, ".3q")
