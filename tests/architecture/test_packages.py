import ast
import importlib.util
import statistics
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, SOURCES, name_of, tree

VAGUE = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
# The second one is a verb's own module, imported when `hilbert bundle` is called and at no other time.
MAY_IMPORT_MODEL = {"service/worker/model_adapter.py", "service/cli/bundle_report.py"}


def imported_packages(nodes):
    """Top-level packages that these import statements name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_resolves_inside_the_repository(package):
    assert Path(importlib.util.find_spec(package).origin) == ROOT / package / "__init__.py"


def test_import_linter_watches_every_package():
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    standing = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(configuration["root_packages"]) == standing == set(PACKAGES)


@pytest.mark.parametrize("package", ["service", "model"])
def test_every_module_of_a_package_has_its_layer(package):
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layered,) = [contract for contract in contracts if contract.get("containers") == [package]]
    assert layered["exhaustive"] is True
    names = {name.strip() for layer in layered["layers"] for name in layer.split("|")}
    standing = {
        path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert standing - {"__init__"} <= names


def test_only_assessing_imports_the_model_when_the_service_is_imported():
    importers = {
        name_of(path)
        for path in SOURCES
        if path.is_relative_to(ROOT / "service") and "model" in imported_packages(tree(path).body)
    }
    assert importers <= MAY_IMPORT_MODEL


def test_no_module_imports_the_verb_that_imports_the_model_before_it_is_called():
    verbs = {f"service.cli.{Path(name).stem}" for name in MAY_IMPORT_MODEL if name.startswith("service/cli/")}
    nodes = [node for path in SOURCES for node in tree(path).body if isinstance(node, ast.ImportFrom)]
    named = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names} | {node.module for node in nodes}
    assert verbs
    assert not verbs & named


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=name_of)
def test_an_init_holds_a_docstring_at_most(path):
    statements = tree(path).body
    assert len(statements) <= 1
    assert len(statements) == (ast.get_docstring(tree(path)) is not None)


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "__init__.py"], ids=name_of)
def test_a_module_says_what_it_is_for(path):
    assert path.stem not in VAGUE
    if "migrations" not in path.parts:
        assert ast.get_docstring(tree(path))


def test_nine_functions_in_ten_have_at_most_forty_lines():
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert statistics.quantiles(lengths, n=10)[-1] <= 40


def test_files_stay_readable_in_one_sitting():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_package_hides_among_the_tests():
    assert list((ROOT / "tests").rglob("__init__.py")) == []
