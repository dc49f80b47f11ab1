"""How `make test` deals the tests out to several processes (decision 0016)."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# What takes longest starts first, so that no process is left alone with it at the end.
ORDER = ("journeys", "faults", "training", "model", "service", "deploy", "architecture")
SERVICES = "tests/journeys/"
DEMO = "tests/journeys/test_demo.py"  # starts its own

if "PYTEST_XDIST_WORKER" in os.environ:
    # The processes keep the cores busy between them; read when torch and NumPy are first imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What these start is tested and not measured: hundreds of processes, nearly every line of which runs here as well.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders with the longest tests first; within a folder nothing moves."""
    items.sort(key=lambda item: _place(item.path))


def _place(file: Path) -> int:
    folder = file.relative_to(HERE).parts[0]
    return ORDER.index(folder) if folder in ORDER else len(ORDER)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep the tests of a file in one process, and those of all files that share the running services."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return SERVICES if file.startswith(SERVICES) and file != DEMO else file

    config.option.loadscopereorder = False
    return ByFile(config, log)
