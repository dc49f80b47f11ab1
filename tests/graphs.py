"""Graphs of the network that the tests export: one export per architecture and run, shared by all processes."""

import hashlib
import shutil
import sys
from collections.abc import Iterator

import pytest
from filelock import FileLock

from tests.sharing import common_folder


@pytest.fixture(autouse=True, scope="session")
def _one_export_per_architecture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let an architecture's template take its graph from another process, if one has exported it.

    An export takes some 15 s. Its result depends on the architecture and the tasks alone, for the weights of a template
    come from a fixed seed.
    """
    if "torch" not in sys.modules:
        yield
        return
    from model.export.graph import write_graph as export

    folder = common_folder(tmp_path_factory)

    def write_graph(module, example, signature, file, **options):
        key = repr((module.network.architecture, tuple(module.tasks), options))
        made = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.onnx"
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                export(module, example, signature, made, **options)
        shutil.copyfile(made, file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.export.network.write_graph", write_graph)
        yield
