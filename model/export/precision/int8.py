"""Conversion of an encoder's matrix products to int8: weights have a scale per column, activations one per row.

A row is one position of one segment, so the features depend on the segment only. The dynamic quantisation of ONNX
Runtime has one scale per batch: its features would depend on the other segments of the batch.

Both factors are unsigned, with 128 as zero. On processors without VNNI, ONNX Runtime sums pairs of unsigned times
signed products in 16 bits, which overflow; unsigned times unsigned is exact.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from model.export.precision.regions import GraphRegions

RUNTIME_DOMAIN = "com.microsoft"
_LARGEST = 127
_MIDDLE = 128
# Lower bound of a scale, for rows of zeros.
_LEAST = 1e-12


class Int8Rewriter:
    """Converts one graph; each activation is quantised once, however many products read it."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._rounded: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
        self._axis = self._constant("last", np.array([-1], dtype=np.int64))
        self._least = self._constant("least", np.float32(_LEAST * _LARGEST))
        self._share = self._constant("share", np.float32(1 / _LARGEST))
        self._one = self._constant("one", np.float32(1))
        self._middle = self._constant("middle", np.uint8(_MIDDLE))

    def product(self, node: ir.Node) -> None:
        """Replace a matrix product by an exact integer product, followed by both scales."""
        activation, weights = node.inputs[0], node.inputs[1]
        if activation is None or weights is None or weights.const_value is None:
            raise ValueError("a matrix product needs an activation and constant weights")
        row_scale, rounded = self._rounded_rows(activation, node)
        whole, column_scale = _whole_numbers(weights.const_value.numpy(), axis=0)
        name = f"{node.name}.int8"
        inputs = [
            rounded,
            self._constant(f"{name}.weights", (whole.astype(np.int16) + _MIDDLE).astype(np.uint8)),
            self._one,
            self._constant(f"{name}.scale", column_scale),
            self._middle,
            self._middle,
        ]
        scaled = self._before(node, "MatMulIntegerToFloat", inputs, name=name, domain=RUNTIME_DOMAIN)
        self._replace(node, self._before(node, "Mul", [scaled, row_scale], name=f"{name}.scaled"))

    def table(self, node: ir.Node) -> None:
        """Replace a look-up by one in an int8 table, followed by the scale of the row."""
        weights, index = node.inputs[0], node.inputs[1]
        if weights is None or index is None or weights.const_value is None:
            raise ValueError("a look-up needs a constant table and an index")
        whole, scale = _whole_numbers(weights.const_value.numpy(), axis=1)
        name = f"{node.name}.int8"
        rows = self._before(node, "Gather", [self._constant(f"{name}.table", whole), index], name=name)
        rows.dtype = ir.DataType.INT8
        numbers = self._before(node, "Cast", [rows], name=f"{name}.cast", to=ir.DataType.FLOAT)
        scales = self._before(
            node, "Gather", [self._constant(f"{name}.scale", scale[:, None]), index], name=f"{name}.by"
        )
        self._replace(node, self._before(node, "Mul", [numbers, scales], name=f"{name}.scaled"))

    def _rounded_rows(self, value: ir.Value, reader: ir.Node) -> tuple[ir.Value, ir.Value]:
        """The scale of every row, and the quantised row with 128 as zero."""
        if value not in self._rounded:
            name = f"{value.name}.rows"
            size = self._before(reader, "Abs", [value], name=f"{name}.size")
            largest = self._before(reader, "ReduceMax", [size, self._axis], name=f"{name}.largest", keepdims=1)
            bounded = self._before(reader, "Max", [largest, self._least], name=f"{name}.bounded")
            scale = self._before(reader, "Mul", [bounded, self._share], name=f"{name}.scale")
            shares = self._before(reader, "Div", [value, scale], name=f"{name}.shares")
            whole = self._before(reader, "QuantizeLinear", [shares, self._one, self._middle], name=f"{name}.whole")
            whole.dtype = ir.DataType.UINT8
            self._rounded[value] = (scale, whole)
        return self._rounded[value]

    def _before(
        self, reader: ir.Node, op: str, inputs: list[ir.Value], *, name: str, domain: str = "", **attributes: object
    ) -> ir.Value:
        node = ir.node(op, inputs, attributes=attributes or None, domain=domain, name=name)
        self._graph.insert_before(reader, node)
        (result,) = node.outputs
        result.name, result.dtype = name, ir.DataType.FLOAT
        return result

    def _constant(self, name: str, numbers: np.ndarray | np.generic) -> ir.Value:
        name = f"{name}.eight_bits"
        tensor = ir.tensor(np.asarray(numbers), name=name)
        value = ir.Value(name=name, shape=ir.Shape(numbers.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self._graph.register_initializer(value)
        return value

    def _replace(self, node: ir.Node, by: ir.Value) -> None:
        (old,) = node.outputs
        by.shape = old.shape
        ir.convenience.replace_all_uses_with(old, by)
        self._graph.remove(node, safe=True)


def convert_to_int8(model: ir.Model, regions: GraphRegions, *, wide: bool) -> None:
    """Convert the matrix products and look-up tables of a float32 graph to int8, in place; the rest stays float32.

    With `wide`, the last product of every feed-forward block stays float32: the range of its input is too large.
    """
    work = Int8Rewriter(model.graph)
    for node in regions.products:
        if not (wide and node in regions.feed_forward_outputs):
            work.product(node)
    for node in regions.tables:
        work.table(node)
    for name, value in list(model.graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del model.graph.initializers[name]
    model.opset_imports.setdefault(RUNTIME_DOMAIN, 1)


def _whole_numbers(weights: np.ndarray, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights quantised to -127 ... 127, and their scale, reduced over `axis`."""
    scale = np.maximum(np.abs(weights).max(axis=axis), _LEAST) / _LARGEST
    whole = np.clip(np.round(weights / np.expand_dims(scale, axis)), -_LARGEST, _LARGEST)
    return whole.astype(np.int8), scale.astype(np.float32)
