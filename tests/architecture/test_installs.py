"""What `pip install .[extra]` pulls in, walked through the metadata of what is installed here."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = canonicalize_name(PROJECT["name"])
# The only distribution that an extra names and a machine without a GPU does not have.
ABSENT = {"onnxruntime-gpu"}


def requirements_of(name, extras):
    """Requirements of a distribution with these extras, markers evaluated for this interpreter."""
    if name == OURS:
        lines = [*PROJECT["dependencies"], *(line for e in extras for line in PROJECT["optional-dependencies"][e])]
    elif name in ABSENT:
        lines = []
    else:
        lines = importlib.metadata.requires(name) or []
    for line in lines:
        requirement = Requirement(line)
        environments = [{"extra": extra} for extra in (*extras, "")]
        if requirement.marker is None or any(requirement.marker.evaluate(e) for e in environments):
            yield requirement


def closure(*extras):
    """Names of all distributions that the project's install with these extras holds, but its own."""
    seen = set()
    waiting = [(OURS, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        waiting += [(canonicalize_name(r.name), frozenset(r.extras)) for r in requirements_of(name, wanted)]
    return {name for name, _ in seen} - {OURS}


def test_a_worker_s_install_holds_neither_torch_nor_transformers():
    held = closure("worker")
    assert {"onnxruntime", "av", "tokenizers", "celery", "sqlalchemy"} <= held
    assert not held & {"torch", "transformers", "scikit-learn", "onnx"}


def test_the_api_s_install_holds_no_onnx_runtime_and_nothing_of_the_pipeline():
    held = closure("api")
    assert {"fastapi", "uvicorn", "starlette"} <= held
    assert not held & {"onnxruntime", "onnxruntime-gpu", "torch", "transformers", "numpy", "av"}


IMPORTED_WITHOUT = """
import sys
absent = set({absent!r})
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import {module}, service.cli.app, service.task_queue.redis_transport, psycopg
"""


@pytest.mark.parametrize(
    ("extras", "module"),
    [
        ((), "service.worker.webhooks.process"),
        (("api",), "service.api.server"),
        (("worker",), "service.worker.model_adapter"),
    ],
)
def test_a_process_starts_with_its_own_install_alone(extras, module):
    """What another extra happens to bring would hide an import that fails where only this one is installed."""
    held = {*closure(*extras), OURS, "coverage", "setuptools"}
    owners = importlib.metadata.packages_distributions()
    absent = sorted(name for name in owners if not held & set(map(canonicalize_name, owners[name])))
    assert {"torch", "pytest"} <= set(absent)
    script = IMPORTED_WITHOUT.format(absent=absent, module=module)
    done = subprocess.run((sys.executable, "-c", script), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_install_can_deliver():
    held = closure()
    assert {"httpcore", "celery", "sqlalchemy"} <= held
    assert not held & {"onnxruntime", "onnxruntime-gpu", "torch", "numpy", "av", "fastapi"}


def test_a_gpu_worker_has_one_runtime_only():
    assert "onnxruntime" not in closure("worker-gpu")


def test_training_brings_what_serving_leaves_out():
    assert {"torch", "transformers", "onnxruntime"} <= closure("training")


def pins():
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_every_distribution_of_the_service_is_pinned():
    assert closure("api", "worker") - pins().keys() == set()


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_what_the_project_names_agrees_with_the_constraints(extra):
    lines = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name == OURS or name in ABSENT:
            continue
        assert str(requirement.specifier) == f"=={pins()[name]}"
