"""Export of a torch module as an ONNX graph, and the parity check of the two."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model.encoders.runtime import RuntimeOptions, open_session
from model.errors import ParityError

OPSET = 20
# A protocol buffer, and therefore a graph in one file, holds less than 2 GiB.
LARGEST_FILE = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSignature:
    """Names of a graph's inputs and outputs, and the dynamic axes of its inputs."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]]


def write_graph(
    module: nn.Module,
    example: Sequence[Tensor],
    signature: GraphSignature,
    file: Path,
    *,
    largest: int = LARGEST_FILE,
) -> None:
    """Trace `module` on `example` and write one self-contained ONNX file.

    Weights of more than `largest` bytes go into a second file: the name of the graph with the suffix `.data`.
    """
    axes = {name: torch.export.Dim(name) for dims in signature.dynamic.values() for name in dims.values()}
    shapes = tuple(
        {axis: axes[name] for axis, name in signature.dynamic.get(entry, {}).items()} for entry in signature.inputs
    )
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(example),
            dynamo=True,
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise ParityError("the exporter returned no graph")
    _forget_origin(program)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    program.save(file, external_data=weights > largest)


def _forget_origin(program: torch.onnx.ONNXProgram) -> None:
    """Remove the exporter's metadata: stack traces contain paths of the exporting machine."""
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None


def check_parity(
    module: nn.Module,
    cases: Sequence[Sequence[Tensor]],
    signature: GraphSignature,
    file: Path,
    tolerance: float,
) -> float:
    """Run graph and module on inputs of several shapes; return the largest absolute difference.

    Raises ParityError if it exceeds `tolerance`.
    """
    session = open_session(file, RuntimeOptions())
    worst = 0.0
    for case in cases:
        with torch.no_grad():
            expected = module(*case)
        wanted = [expected] if isinstance(expected, Tensor) else list(expected)
        feed = {name: value.numpy() for name, value in zip(signature.inputs, case, strict=True)}
        for value, reference in zip(session.run(list(signature.outputs), feed), wanted, strict=True):
            difference = np.abs(value - reference.numpy())
            # `np.maximum` keeps NaN, which Python's `max` drops.
            worst = float(np.maximum(worst, difference.max(initial=0.0)))
    if not worst <= tolerance:
        raise ParityError(f"the graph differs from torch by {worst:.2e}, more than {tolerance:.0e}")
    return worst


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log messages and warnings of the exporter; its errors still raise."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
