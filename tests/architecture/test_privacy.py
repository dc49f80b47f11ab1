import ast
import os
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT, SOURCES

HOME = "model/encoders/runtime.py"


def imports_runtime(path):
    nodes = ast.walk(ast.parse(path.read_text()))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    nodes = ast.walk(ast.parse(path.read_text()))
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] == "onnxruntime" for name in names)


def test_one_module_alone_imports_onnx_runtime_and_can_silence_it_first():
    assert {str(path.relative_to(ROOT)) for path in SOURCES if imports_runtime(path)} == {HOME}


@pytest.mark.parametrize("module", ["model.encoders.runtime", "model.pipeline", "model.export.graph"])
def test_onnx_runtime_does_not_report_home(module, tmp_path):
    """Its official builds keep a session file for their maker's telemetry from the first import on, unless told."""
    told = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    own = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "CI": ""}
    subprocess.run(
        (sys.executable, "-c", f"import {module}"), cwd=ROOT, env={**told, **own}, check=True, capture_output=True
    )
    assert [path.name for path in tmp_path.iterdir() if path.name == ".ses"] == []
