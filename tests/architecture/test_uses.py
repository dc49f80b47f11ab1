"""What is public is used by the product, not by its tests alone."""

import ast
import tomllib

from tests.architecture.sources import PACKAGES, READERS, ROOT, modules, name_of, public_definitions, uses

CALLED_BY_NAME: dict[str, str] = {}
"""Public names that nothing of the product mentions, each with who calls it."""


def registered(node):
    """Whether a decorator hands the definition on, as those of routes and commands do."""
    calls = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list)
    return any(isinstance(call, ast.Attribute) for call in calls)


def test_no_public_name_is_kept_alive_by_tests_alone():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    used = {entry.split(":")[1] for entry in scripts.values()}
    for path in modules(*READERS):
        used |= uses(path)
    unused = {
        node.name: f"{name_of(path)}:{node.lineno}"
        for path in modules(*PACKAGES)
        for node in public_definitions(path)
        if node.name not in used and not registered(node)
    }
    for name, who in CALLED_BY_NAME.items():
        print(f"{name}: {who}")  # noqa: T201 - the allow-list is shown
    assert unused.keys() == CALLED_BY_NAME.keys(), {name: unused[name] for name in unused.keys() - CALLED_BY_NAME}
