import importlib
import re

import pytest
import typer

from model.errors import ModelError
from service.errors import not_found, request, unavailable
from service.errors.tree import ServiceError
from service.settings import Settings
from tests.architecture.sources import ROOT, SOURCES

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
VERBS = set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def rows(page):
    """First cells of a page's tables, without their backquotes."""
    return set(re.findall(r"^\| `([^`]+)`", page.read_text(), re.MULTILINE))


def family(error):
    """An exception class and all its descendants."""
    return {error}.union(*(family(child) for child in error.__subclasses__()))


def verbs(command, path):
    """Every command line that a typer application understands, without options."""
    if not (children := getattr(command, "commands", None)):
        return {path}
    return set().union(*(verbs(child, f"{path} {name}") for name, child in children.items()))


def test_each_setting_is_documented_and_no_other():
    documented = {name for name in rows(DOCS / "configuration.md") if name.startswith("HILBERT_")}
    assert documented == {f"HILBERT_{name.upper()}" for name in Settings.model_fields}


def test_each_setting_says_what_it_does():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_each_error_code_of_the_service_is_documented():
    assert {request.InvalidRequest, not_found.NotFound, unavailable.Unavailable} <= family(ServiceError)
    codes = {error.code for error in family(ServiceError)}
    assert codes - rows(DOCS / "errors.md") == set()


def test_each_error_code_of_the_model_is_documented():
    codes = {error.code for error in family(ModelError)} - {"model_error", "recording_error", "bundle_error"}
    assert codes - rows(DOCS / "errors.md") == set()


@pytest.mark.parametrize(("program", "module"), [("hilbert", "service.cli.app"), ("hilbert-train", "training.cli.app")])
def test_each_verb_of_the_command_line_is_documented(program, module):
    app = importlib.import_module(module).app
    pages = "\n".join(page.read_text() for page in PAGES)
    missing = {verb for verb in verbs(typer.main.get_command(app), program) if verb not in pages}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_make_verb_that_a_page_names_exists(page):
    named = set(re.findall(r"(?:^|`|\n)\s*make ([a-z][a-z-]*)", page.read_text()))
    assert named - VERBS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://|mailto:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_hilbert_command_that_a_page_names_exists(page):
    known = set()
    for program, module in (("hilbert", "service.cli.app"), ("hilbert-train", "training.cli.app")):
        known |= verbs(typer.main.get_command(importlib.import_module(module).app), program)
    for command in re.findall(r"`(hilbert(?:-train)? [a-z][a-z -]*)", page.read_text()):
        words = command.split()
        assert any(" ".join(words[:n]) in known for n in range(2, len(words) + 1)), command


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_a_number_a_status_and_what_enforces_it(page):
    text = page.read_text()
    assert text.startswith(f"# {page.name[:4]}. ")
    assert "\nStatus: " in text
    assert "**Enforced by**" in text


def test_decisions_are_numbered_without_gaps():
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_newcomer_s_verbs_are_in_the_readme():
    text = (ROOT / "README.md").read_text()
    for verb in ("make demo", "make serve", "make test", "make check"):
        assert verb in text


def test_ci_runs_the_verbs_that_a_developer_has():
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert commands == ["make check", "make test"]


def test_the_licence_is_the_one_that_the_project_names():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


EQUATIONS = set(re.findall(r"^### \(([A-Z]\d+)\) ", (DOCS / "method.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("package", ["model", "service", "training"])
def test_each_document_that_the_code_names_exists(package):
    missing = {
        f"{path.relative_to(ROOT)}: {named}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == package
        for named in re.findall(r"(?:docs|training)/[\w/-]+\.md|\b[A-Z][A-Z-]+\.md", path.read_text())
        if not (ROOT / named).exists()
    }
    assert missing == set()


def test_each_decision_that_the_code_names_exists():
    numbers = {page.name[:4] for page in DECISIONS}
    named = {number for path in SOURCES for number in re.findall(r"\bdecisions? (\d{4})\b", path.read_text())}
    assert named
    assert named - numbers == set()


def test_each_equation_that_the_code_cites_stands_in_the_method():
    assert len(EQUATIONS) > 50
    cited = {
        label
        for path in SOURCES
        for labels in re.findall(r"docs/method\.md \(([A-Z\d, ]+)\)", path.read_text())
        for label in labels.split(", ")
    }
    assert cited
    assert cited - EQUATIONS == set()


def test_each_function_that_the_method_names_exists():
    text = (DOCS / "method.md").read_text()
    named = re.findall(r"`((?:model|training)/[\w/]+\.py)`:((?:[\s,]*`[\w.]+`)+)", text)
    assert len(named) > 50
    missing = [
        f"{path}: {function}"
        for path, functions in named
        for function in re.findall(r"`([\w.]+)`", functions)
        if not (ROOT / path).exists() or not defines((ROOT / path).read_text(), function)
    ]
    assert missing == []


def defines(source, function):
    return all(
        re.search(rf"^\s*(?:class|def|async def) {name}\b", source, re.MULTILINE) for name in function.split(".")
    )
