"""Several processes run the tests (`make test`), and what is slow to make is made by the first that asks for it."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(fixture: Callable[..., Path]) -> Callable[..., Path]:
    """Let a session fixture that makes a folder run once per run and not once per process.

    The other processes wait until it is there. It takes `tmp_path_factory`, and nobody writes to what it made.
    """

    @functools.wraps(fixture)
    def shared(tmp_path_factory: pytest.TempPathFactory, **others: object) -> Path:
        found = common_folder(tmp_path_factory) / f"{fixture.__name__}.made"
        with FileLock(found.with_suffix(".lock")):
            if not found.exists():
                found.write_text(str(fixture(tmp_path_factory=tmp_path_factory, **others)))
            return Path(found.read_text())

    return shared


def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    # A process of its own, as xdist calls it: popen-gw0 below the folder of the run.
    return own.parent if own.name.startswith("popen-") else own
