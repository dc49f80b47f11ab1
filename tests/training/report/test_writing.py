import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.training.fabricated import QUICK, fabricate, without
from training.evaluation.measures import Measures, measure_evidence
from training.report.writing import write_report

EVIDENCE = fabricate()
FIGURES = {
    *("roc", "precision-recall", "arms", "reliability", "confusion", "decision-curves", "coverage"),
    *("subgroup-forest", "contribution-distributions", "embedding-map", "out-of-distribution", "losses"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "report"
    write_report(EVIDENCE, folder, QUICK)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The report of a real cohort that measured little, with names that no cohort should have."""
    rude = ("none", "<b>$x$</b>", "a&b")
    arm = replace(EVIDENCE.arms[0], predictions=replace(EVIDENCE.arms[0].predictions, outcomes=rude))
    evidence = replace(
        without(EVIDENCE, "embeddings", "contributions", "out_of_distribution"),
        loss_curves=(),
        subgroups={},
        excluded={'"><script>': 1},
        outcomes=rude,
        arms=(arm,),
        about={"date": "2026-11-24"},
    )
    folder = tmp_path_factory.mktemp("bare")
    write_report(evidence, folder, QUICK)
    return folder


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    """The page as a tree: it is well-formed, or this fails."""
    return tree(text)


def tree(text):
    return ET.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def numbers_in(value):
    if isinstance(value, dict):
        return set().union(*map(numbers_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers_in, value))
    return {float(value)} if isinstance(value, int | float) else set()


def words(element):
    return " ".join("".join(element.itertext()).split())


def test_the_run_s_files_are_there(folder):
    assert {path.name for path in folder.iterdir()} == {"metrics.json", "report.html", "tripod.md"}


def test_metrics_are_what_was_measured(folder):
    written = Measures.model_validate_json((folder / "metrics.json").read_text())
    again = measure_evidence(EVIDENCE, QUICK)
    timed = {"line_up": again.line_up}  # seconds differ
    assert written.model_copy(update=timed) == again


def test_every_number_of_the_page_is_in_the_metrics(folder, page):
    known = numbers_in(json.loads((folder / "metrics.json").read_text()))
    shown = [element.get("value") for element in page.iter("data")]
    assert len(shown) > 400
    assert {value for value in shown if float(value) not in known} == set()


def test_what_is_read_is_its_exact_value_rounded(page):
    for element in page.iter("data"):
        exact, written = float(element.get("value")), words(element).replace("\N{MINUS SIGN}", "-")
        scale = 100 if written.endswith("%") else 1
        digits = written.rstrip(" %").partition(".")[2]
        shown = float(written.rstrip(" %"))
        assert abs(shown - scale * exact) <= 0.5 * 10.0 ** -len(digits) + 1e-9, (exact, written)


def test_the_verdict_stands_on_top(folder, page):
    verdict = json.loads((folder / "metrics.json").read_text())["verdict"]
    (section,) = [element for element in page.iter("section") if element.get("id") == "verdict"]
    shown = [words(element) for element in section.iter("p")]
    assert shown[: len(verdict)] == [" ".join(line.split()) for line in verdict]


def test_all_figures_are_there_with_a_caption_that_says_how_to_read_them(page):
    figures = list(page.iter("figure"))
    assert {figure.get("id").removeprefix("figure-") for figure in figures} == FIGURES
    for figure in figures:
        assert len(words(figure.find("figcaption")).split()) > 20
        assert figure.findall(".//svg")


def test_every_plot_has_a_description(page):
    plots = list(page.iter("svg"))
    assert len(plots) > 25
    assert all(plot.get("role") == "img" and len(plot.get("aria-label")) > 15 for plot in plots)


def test_the_page_needs_nothing_from_elsewhere(text, page):
    assert "http" not in text
    assert not {"script", "link", "img", "iframe", "object"} & {element.tag for element in page.iter()}
    assert "@import" not in text
    for plain, inside in re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', text):
        assert (plain or inside).startswith("#")


def test_ids_are_unique_and_every_link_leads_to_one(text):
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'href="#([^"]*)"', text)) | set(re.findall(r"url\(#([^)]*)\)", text))
    assert links - set(ids) == set()


def test_no_colour_is_fixed_where_a_dark_page_would_hide_it(text):
    drawn = text[text.index("</style>") :]
    assert re.findall(r"(?:fill|stroke|color): #[0-9a-f]+", drawn) == []


def test_the_contents_name_every_section(page):
    linked = [element.get("href")[1:] for element in page.find(".//nav").iter("a")]
    sections = [element.get("id") for element in page.iter("section")]
    assert ["verdict", *linked] == sections


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(element.tag[1]) for element in page.iter() if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}


def test_tables_have_headers_for_columns_and_rows(page):
    for table in page.iter("table"):
        columns = table.findall("thead/tr/th")
        assert columns
        assert all(head.get("scope") == "col" for head in columns)
        for row in table.findall("tbody/tr"):
            assert row.find("th").get("scope") in {"row", "colgroup"}
            assert sum(int(cell.get("colspan", "1")) for cell in row) == len(columns)


def test_the_first_sentence_says_that_it_is_not_a_diagnosis(page):
    assert "Research use, never a diagnosis" in words(page.find(".//header"))


def test_a_synthetic_cohort_is_labelled_as_one(page, folder, bare):
    assert "Nobody in it is a person" in words(page.find(".//header"))
    assert "Nobody in it is a person" in (folder / "tripod.md").read_text()
    for name in ("report.html", "tripod.md"):
        assert "synthetic" not in (bare / name).read_text().partition("</style>")[2].lower()


def test_names_from_a_cohort_cannot_write_the_page(bare):
    text = (bare / "report.html").read_text()
    assert "<script" not in text
    assert "<b>" not in text
    assert "a&b" in words(tree(text))


def test_a_run_with_fewer_measures_has_a_shorter_report(bare):
    shown = {
        figure.get("id").removeprefix("figure-") for figure in tree((bare / "report.html").read_text()).iter("figure")
    }
    missing = {"contribution-distributions", "embedding-map", "out-of-distribution", "losses", "subgroup-forest"}
    assert shown == FIGURES - missing
