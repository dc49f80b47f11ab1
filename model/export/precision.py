"""The same graph in another precision (decision 0022)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx_ir as ir

from model.encoders.description import Precision
from model.export.eight_bits import shrink
from model.export.graph import LARGEST_FILE
from model.export.half import halve
from model.export.regions import find_regions


def change_precision(graph: Path, precision: Precision, *, wide: bool = False, largest: int = LARGEST_FILE) -> None:
    """Rewrite the float32 graph `graph` in place; inputs and outputs keep their types.

    `wide` keeps what half precision cannot hold of an architecture that was not trained in it. Weights of more than
    `largest` bytes lie in a second file, as `write_graph` leaves them.

    Raises UnsupportedEncoder where there is no transformer in the graph.
    """
    if precision == "float32":
        return
    model = ir.load(graph)
    change = {"float16": halve, "int8": shrink}[precision]
    change(model, find_regions(model.graph), wide=wide)
    weights = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value)
    with TemporaryDirectory(dir=graph.parent, prefix=".precision-") as scratch:
        beside = graph.name + ".data" if weights > largest else None
        ir.save(model, Path(scratch) / graph.name, external_data=beside)
        old = graph.with_name(graph.name + ".data")
        del model
        old.unlink(missing_ok=True)
        for file in sorted(Path(scratch).iterdir()):
            file.replace(graph.with_name(file.name))
