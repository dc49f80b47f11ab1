from dataclasses import replace

import pytest

from tests.training.fabricated import QUICK, fabricate
from training.evaluation.measures import measure_evidence
from training.report.page import render_checklist
from training.report.tripod import fill_checklist
from training.report.tripod_items import ITEMS

EVIDENCE = fabricate()


@pytest.fixture(scope="module")
def measures():
    return measure_evidence(EVIDENCE, QUICK)


@pytest.fixture(scope="module")
def filled(measures):
    return {entry.item.number: entry for entry in fill_checklist(EVIDENCE, measures)}


@pytest.fixture(scope="module")
def real(measures):
    """What is filled in for a cohort that is not synthetic."""
    told = fill_checklist(replace(EVIDENCE, about={}), measures.model_copy(update={"about": {}}))
    return {entry.item.number: entry for entry in told}


def test_the_statement_has_27_items_in_52_parts():
    numbers = [item.number for item in ITEMS]
    assert len(numbers) == len(set(numbers)) == 52
    assert {int(number.rstrip("abcdefg")) for number in numbers} == set(range(1, 28))


def test_every_item_is_filled_or_left_to_the_authors(filled, real):
    for entries in (filled, real):
        assert list(entries) == [item.number for item in ITEMS]
        assert all(entry.known or entry.to_write for entry in entries.values())


def test_nothing_is_filled_in_that_is_no_item(measures):
    from training.report.tripod import _data_items, _methods_items, _results_items

    told = {**_data_items(measures), **_methods_items(EVIDENCE, measures), **_results_items(measures)}
    assert set(told) <= {item.number for item in ITEMS}


def test_numbers_are_the_run_s(measures, filled):
    assert "60 documents tested, 60 with a label" in filled["20a"].known
    assert "2 x 3 folds" in filled["12a"].known
    assert filled["23a"].known == " ".join(measures.verdict)
    assert "no label 3" in filled["6b"].known


def test_a_real_cohort_s_ethics_are_left_to_its_authors(filled, real):
    assert "synthetic" in filled["17"].known
    assert filled["17"].to_write == ""
    entry = real["17"]
    assert (entry.known, entry.to_write) == ("", "the ethics committee's approval and the consent")


def test_the_checklist_stands_alone_as_markdown(measures, filled):
    written = render_checklist(measures, tuple(filled.values()))
    assert all(f"**{number} {entry.item.title}.**" in written for number, entry in filled.items())
    assert written.count("_To be written by the authors: ") == sum(bool(one.to_write) for one in filled.values())
    assert [line for line in written.splitlines() if line.startswith("## ")] == [
        *("## Title and abstract", "## Introduction", "## Methods", "## Open science", "## Results", "## Discussion")
    ]
