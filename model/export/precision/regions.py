"""Regions of an encoder's graph: the nodes of its transformer and of its front end.

They are derived from the graph: the front end, of any architecture, ends at the projections of the first attention.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from model.errors import UnsupportedEncoder

ATTENTION = frozenset({"Softmax", "MultiHeadAttention", "Attention"})
_MATRIX = 2  # axes of the weights of a matrix product


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRegions:
    """The regions of a graph; all other nodes are front end, or the mean after the last block."""

    transformer: frozenset[ir.Node]  # from the first projections to the last matrix product
    products: tuple[ir.Node, ...]  # matrix products of the transformer with constant weights
    branch_nodes: frozenset[ir.Node]  # of the transformer, inside its blocks and not on the residual stream
    feed_forward_outputs: frozenset[ir.Node]  # the last products of the feed-forward blocks
    tables: tuple[ir.Node, ...]  # embedding look-ups of the graph's tokens


def find_regions(graph: ir.Graph) -> GraphRegions:
    """Find the regions of an encoder's graph.

    Raises UnsupportedEncoder if the graph has no attention after projections.
    """
    attention = [node for node in graph if node.op_type in ATTENTION]
    # In an attention of elementary operators, the values enter after the softmax.
    joined = [
        node
        for attention_node in attention
        if attention_node.op_type == "Softmax"
        for node in attention_node.successors()
    ]
    projections = {
        node for attention_node in (*attention, *joined) for node in _upstream(attention_node) if is_product(node)
    }
    if not projections:
        raise UnsupportedEncoder("the graph has no transformer to convert")
    after = _reached(projections, _successors)
    before = _reached([*attention, *(node for node in after if is_product(node))], _predecessors)
    transformer = after & before
    products = tuple(node for node in graph if is_product(node) and node in transformer)
    inner = [node for node in products if not _adds_to_stream(node)]
    return GraphRegions(
        transformer=frozenset(transformer),
        products=products,
        branch_nodes=frozenset(_reached(inner, _successors_up_to_products)),
        feed_forward_outputs=frozenset(node for node in products if _ends_feed_forward(node)),
        tables=tuple(node for node in graph if _is_table(node)),
    )


def is_product(node: ir.Node) -> bool:
    """Whether a node is a matrix product with constant weights."""
    if node.op_type != "MatMul":
        return False
    weights = node.inputs[1]
    return weights is not None and weights.const_value is not None and len(weights.const_value.shape) == _MATRIX


def _is_table(node: ir.Node) -> bool:
    if node.op_type != "Gather":
        return False
    table, index = node.inputs[:2]
    return (
        table is not None
        and table.const_value is not None
        and table.dtype == ir.DataType.FLOAT
        and len(table.const_value.shape) == _MATRIX
        and index is not None
        and index.is_graph_input()
    )


def _adds_to_stream(node: ir.Node) -> bool:
    """Whether the output of a product, after its bias, is added to a value that does not depend on it."""
    for follower in node.successors():
        if follower.op_type == "Add":
            others = [value for value in follower.inputs if value is not None and value.producer() is not node]
            if all(value.const_value is not None for value in others):
                return _adds_to_stream(follower)
            return not any(node in _upstream(maker) for value in others if (maker := value.producer()) is not None)
    return False


def _ends_feed_forward(node: ir.Node) -> bool:
    """Whether a product adds to the residual stream and has no attention in its inputs."""
    return _adds_to_stream(node) and not any(ancestor.op_type in ATTENTION for ancestor in _upstream(node))


def _upstream(node: ir.Node) -> set[ir.Node]:
    """The ancestors of a node, up to the nearest products."""

    def step(ancestor: ir.Node) -> Iterable[ir.Node]:
        return () if is_product(ancestor) and ancestor is not node else ancestor.predecessors()

    return _reached([node], step)


def _successors(node: ir.Node) -> Iterable[ir.Node]:
    return node.successors()


def _predecessors(node: ir.Node) -> Iterable[ir.Node]:
    return node.predecessors()


def _successors_up_to_products(node: ir.Node) -> Iterator[ir.Node]:
    return (ancestor for ancestor in node.successors() if not is_product(ancestor))


def _reached(start: Iterable[ir.Node], step: Callable[[ir.Node], Iterable[ir.Node]]) -> set[ir.Node]:
    """All nodes reachable by steps from the start nodes, which are included."""
    reached = set(start)
    waiting = deque(reached)
    while waiting:
        for node in step(waiting.popleft()):
            if node not in reached:
                reached.add(node)
                waiting.append(node)
    return reached
