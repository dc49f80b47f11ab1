"""Conversion of an encoder's transformer and its weights to float16; nodes that need more range stay float32."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from model.export.precision.regions import GraphRegions

# Added to the scores of masked positions in place of the lowest float32: float16 can represent it; exp of it is 0.
MASKED = -30_000.0
_FIXED = frozenset({"Cast", "Constant", "ConstantOfShape"})


def convert_to_float16(model: ir.Model, regions: GraphRegions, *, wide: bool) -> None:
    """Convert the transformer of a float32 graph to float16, in place.

    Inputs, outputs, front end and mean stay float32. With `wide`, so do the residual stream, its normalisations and the
    last product of every feed-forward block: T5 was trained in bfloat16, and its states exceed float16 (65504).
    """
    chosen = set(regions.branch_nodes | set(regions.products) if wide else regions.transformer)
    if wide:
        chosen -= regions.feed_forward_outputs
    chosen |= set(regions.tables)
    _bound_masks(model.graph)
    _retype(model.graph, {node for node in chosen if node.op_type not in _FIXED})


def insert_rounding_casts(model: ir.Model) -> None:
    """Rewrite a graph of `convert_to_float16` in place, so that a CPU rounds where a GPU does.

    On a CPU, ONNX Runtime computes float16 nodes in float32 and removes the casts between them, which would hide an
    overflow. Here each such node is a float32 node between casts that the runtime must keep.
    """
    graph = model.graph
    for node in [candidate for candidate in graph if candidate.op_type not in _FIXED]:
        for position, value in enumerate(node.inputs):
            if value is not None and value.dtype == ir.DataType.FLOAT16:
                node.replace_input_with(position, _cast_before(graph, node, value, f"{node.name}.read{position}"))
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT16:
                value.dtype = ir.DataType.FLOAT
                # Before the cast is made, which is a use as well.
                uses = list(value.uses())
                rounded = ir.node("Cast", [value], attributes={"to": ir.DataType.FLOAT16}, name=f"{node.name}.round")
                (result,) = rounded.outputs
                result.name, result.dtype, result.shape = f"{value.name}.rounded", ir.DataType.FLOAT16, value.shape
                graph.insert_after(node, rounded)
                for user, position in uses:
                    user.replace_input_with(position, result)


def _cast_before(graph: ir.Graph, node: ir.Node, value: ir.Value, name: str) -> ir.Value:
    cast = ir.node("Cast", [value], attributes={"to": ir.DataType.FLOAT}, name=name)
    (result,) = cast.outputs
    result.name, result.dtype, result.shape = f"{name}.value", ir.DataType.FLOAT, value.shape
    graph.insert_before(node, cast)
    return result


def _bound_masks(graph: ir.Graph) -> None:
    for value in graph.initializers.values():
        if value.dtype == ir.DataType.FLOAT and value.const_value is not None and value.const_value.size == 1:
            number = value.const_value.numpy()
            if number.item() < MASKED:
                value.const_value = ir.tensor(np.full(number.shape, MASKED, dtype=np.float32), name=value.name)


def _retype(graph: ir.Graph, chosen: Collection[ir.Node]) -> None:
    """Change inputs and outputs of the chosen nodes to float16, with casts at the boundaries."""
    halves = {value for node in chosen for value in node.outputs if value.dtype == ir.DataType.FLOAT}
    made: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}
    # A copy, because casts are inserted into the graph on the way.
    for node in list(graph):
        wanted = ir.DataType.FLOAT16 if node in chosen else ir.DataType.FLOAT
        for position, value in enumerate(node.inputs):
            if value is None or value.dtype != ir.DataType.FLOAT:
                continue
            given = ir.DataType.FLOAT16 if value in halves else ir.DataType.FLOAT
            if given != wanted:
                key = (value, wanted)
                if key not in made:
                    made[key] = _converted(graph, value, wanted)
                node.replace_input_with(position, made[key])
    for value in halves:
        value.dtype = ir.DataType.FLOAT16
    _forget_unused(graph)


def _converted(graph: ir.Graph, value: ir.Value, kind: ir.DataType) -> ir.Value:
    """A value in another precision: weights are converted, other values are cast after the node that computes them."""
    name = f"{value.name}.{kind.name.lower()}"
    if value.const_value is not None:
        # A weight beyond the range of float16 becomes infinite, and the parity check fails.
        with np.errstate(over="ignore"):
            tensor = ir.tensor(value.const_value.numpy().astype(kind.numpy()), name=name)
        weights = ir.Value(name=name, shape=value.shape, type=ir.TensorType(kind), const_value=tensor)
        graph.register_initializer(weights)
        return weights
    cast = ir.node("Cast", [value], attributes={"to": kind}, name=f"cast.{name}")
    (result,) = cast.outputs
    result.name, result.dtype, result.shape = name, kind, value.shape
    maker = value.producer()
    if maker is None:
        graph.insert_before(graph[0], cast)
    else:
        graph.insert_after(maker, cast)
    return result


def _forget_unused(graph: ir.Graph) -> None:
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]
