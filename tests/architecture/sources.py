"""The Python sources of the three packages, parsed once, for the tests of names and sizes."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("model", "service", "training")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
"""Every Python file of the packages, migrations included."""
READERS = (*PACKAGES, "bench", "examples", "deploy")
"""Folders whose code counts as a use of a public name; tests do not."""


def modules(*packages: str) -> list[Path]:
    """Every module below these folders, migrations left out: a migration is history."""
    paths = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in paths if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    """A path as it is read in a report."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def words_of(name: str) -> set[str]:
    """The words of an identifier: `QueuePosition` and `queue_position` have the same two."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


def public_definitions(path: Path) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Classes and functions at the top of a module that are not private."""
    for node in tree(path).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def uses(path: Path) -> set[str]:
    """Identifiers that a file uses: names, attributes, renamed imports, strings such as "x" and "package.module:x"."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.alias) and node.asname:
            found.add(node.name)
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value.rsplit(":", 1)[-1])
    return found


def importers() -> dict[str, set[Path]]:
    """For each module of the packages, the modules of the packages that import it or a name from it."""
    readers: dict[str, set[Path]] = defaultdict(set)
    for path in modules(*PACKAGES):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module:
                readers[node.module].add(path)
                for alias in node.names:
                    readers[f"{node.module}.{alias.name}"].add(path)
    return readers
