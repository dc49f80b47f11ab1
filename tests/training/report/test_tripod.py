from dataclasses import replace

from tests.training.fabricated import QUICK, fabricate
from training.evaluation.measures import measure_evidence
from training.report.page import render_checklist
from training.report.tripod import fill_checklist
from training.report.tripod_items import ITEMS

EVIDENCE = fabricate()
MEASURES = measure_evidence(EVIDENCE, QUICK)
FILLED = {entry.item.number: entry for entry in fill_checklist(EVIDENCE, MEASURES)}


def real():
    evidence = replace(EVIDENCE, about={})
    measures = MEASURES.model_copy(update={"about": {}})
    return {entry.item.number: entry for entry in fill_checklist(evidence, measures)}


def test_the_statement_has_27_items_in_52_parts():
    numbers = [item.number for item in ITEMS]
    assert len(numbers) == len(set(numbers)) == 52
    assert {int(number.rstrip("abcdefg")) for number in numbers} == set(range(1, 28))


def test_every_item_is_filled_or_left_to_the_authors():
    for filled in (FILLED, real()):
        assert list(filled) == [item.number for item in ITEMS]
        assert all(entry.known or entry.to_write for entry in filled.values())


def test_nothing_is_filled_in_that_is_no_item():
    from training.report.tripod import _data_items, _methods_items, _results_items

    told = {**_data_items(MEASURES), **_methods_items(EVIDENCE, MEASURES), **_results_items(MEASURES)}
    assert set(told) <= {item.number for item in ITEMS}


def test_numbers_are_the_run_s():
    assert "60 documents tested, 60 with a label" in FILLED["20a"].known
    assert "2 x 3 folds" in FILLED["12a"].known
    assert FILLED["23a"].known == " ".join(MEASURES.verdict)
    assert "no label 3" in FILLED["6b"].known


def test_a_real_cohort_s_ethics_are_left_to_its_authors():
    assert "synthetic" in FILLED["17"].known
    assert FILLED["17"].to_write == ""
    entry = real()["17"]
    assert (entry.known, entry.to_write) == ("", "the ethics committee's approval and the consent")


def test_the_checklist_stands_alone_as_markdown():
    written = render_checklist(MEASURES, tuple(FILLED.values()))
    assert all(f"**{number} {entry.item.title}.**" in written for number, entry in FILLED.items())
    assert written.count("_To be written by the authors: ") == sum(bool(one.to_write) for one in FILLED.values())
    assert [line for line in written.splitlines() if line.startswith("## ")] == [
        *("## Title and abstract", "## Introduction", "## Methods", "## Open science", "## Results", "## Discussion")
    ]
