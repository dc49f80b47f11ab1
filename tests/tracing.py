"""Coverage without what it costs where nothing is measured.

torch's exporter makes tens of millions of calls, all of them its own, and under coverage's trace function (the only way
to measure branches before Python 3.14) it takes half as long again. What it traces of ours runs again when the graph is
held against the module, so nothing goes unmeasured.

Every process imports the large libraries without it too: with it, their import takes nearly twice as long.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import pytest

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
LARGE = ("torch", "transformers", "onnxscript", "scipy.stats", "sklearn.linear_model", "matplotlib.figure", "fastapi")


def untraced(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let `function` run without the trace function that is set when it is called."""

    @functools.wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.settrace(tracer)
            _settled()

    return run


def _settled() -> None:
    """Coverage's tracer takes itself in again at the first call it sees; that must not be a measured one."""


def pytest_configure(config: pytest.Config) -> None:
    """Import what is large, except in the process that only deals the tests out."""
    if sys.gettrace() is not None and config.getoption("dist", "no") == "no":
        for name in LARGE:
            untraced(importlib.import_module)(name)


@pytest.fixture(autouse=True, scope="session")
def _exporter_runs_untraced() -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None or sys.gettrace() is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", untraced(torch.onnx.export))
        yield
