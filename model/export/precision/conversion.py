"""Conversion of a graph to another precision (decision 0022)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx_ir as ir

from model.encoders.description import Precision
from model.export.graph import LARGEST_FILE
from model.export.precision.attention_mask import add_unmasked_branches, remove_unmasked_branches
from model.export.precision.float16 import convert_to_float16, insert_rounding_casts
from model.export.precision.int8 import convert_to_int8
from model.export.precision.regions import find_regions


def change_precision(graph: Path, precision: Precision, *, wide: bool = False, largest: int = LARGEST_FILE) -> None:
    """Convert the float32 graph `graph` in place; its inputs and outputs keep their types.

    Graphs for CPUs also get attention branches without masks (decision 0023). `wide` is for architectures that were not
    trained in float16: activations beyond its range stay float32. Weights of more than `largest` bytes are in a second
    file, as in `write_graph`.

    Raises UnsupportedEncoder if the graph has no transformer.
    """
    model = ir.load(graph)
    remove_unmasked_branches(model)
    if precision != "float32":
        change = {"float16": convert_to_float16, "int8": convert_to_int8}[precision]
        change(model, find_regions(model.graph), wide=wide)
    if precision != "float16":  # no branches in graphs for GPUs: CUDA graphs cannot capture them
        add_unmasked_branches(model)
    with TemporaryDirectory(dir=graph.parent, prefix=".precision-") as scratch:
        _save(model, Path(scratch) / graph.name, largest)
        del model  # it maps the old file of weights, which is deleted next
        graph.with_name(graph.name + ".data").unlink(missing_ok=True)
        for file in sorted(Path(scratch).iterdir()):
            file.replace(graph.with_name(file.name))


def graph_for_parity(graph: Path, precision: Precision, scratch: Path, *, largest: int = LARGEST_FILE) -> Path:
    """The graph with which a CPU reproduces the results of `graph` on its device; a new one is written to `scratch`.

    A CPU computes float16 nodes in float32, which would hide an overflow.
    """
    if precision != "float16":
        return graph
    model = ir.load(graph)
    insert_rounding_casts(model)
    _save(model, scratch / graph.name, largest)
    return scratch / graph.name


def _save(model: ir.Model, file: Path, largest: int) -> None:
    weights = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value)
    ir.save(model, file, external_data=file.name + ".data" if weights > largest else None)
