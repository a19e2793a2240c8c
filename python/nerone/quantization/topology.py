"""Places where a graph is quantized, nodes that stay in float, and how fix points travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nerone.dpu.ops import FUSED_ACTIVATIONS, KEEPS_FIX_POINT, float_reason
from nerone.graph import Graph, Node, Op

__all__ = [
    "QuantizationPlan",
    "fix_point_source",
    "fused_activation",
    "plan",
    "unquantized_nodes",
]


@dataclass(frozen=True)
class QuantizationPlan:
    """The outputs that become int8.

    Attributes
    ----------
    points : tuple of str, nodes whose output is quantized, in topological order
    float_nodes : mapping of node name to the reason why it stays in float
    """

    points: tuple[str, ...]
    float_nodes: Mapping[str, str]


def plan(graph: Graph) -> QuantizationPlan:
    """Decide the quantization points of a folded graph.

    A convolution, dense layer, addition or multiplication whose only reader is a ReLU-like activation is quantized
    after that activation only. A float node is quantized again where an int8 node reads it.
    """
    readers = graph.readers()
    floats: dict[str, str] = {}
    for node in graph:
        if node.op is Op.INPUT:
            continue
        reason = float_reason(node)
        if reason is None and node.op in KEEPS_FIX_POINT and node.inputs[0] in floats:
            reason = "its input stays in float"
        if reason is not None:
            floats[node.name] = reason
    points = []
    for node in graph:
        consumers = readers[node.name]
        int8_readers = any(reader.name not in floats and reader.op not in KEEPS_FIX_POINT for reader in consumers)
        if node.op is Op.INPUT:
            wanted = not consumers or any(reader.name not in floats for reader in consumers)
        elif node.name in floats:
            wanted = int8_readers
        else:
            wanted = node.op not in KEEPS_FIX_POINT and fused_activation(graph, node, readers) is None
        if wanted:
            points.append(node.name)
    return QuantizationPlan(tuple(points), floats)


def fused_activation(graph: Graph, node: Node, readers: Mapping[str, list[Node]] | None = None) -> Node | None:
    """Return the activation that the DPU computes in one go with ``node``; None where there is none."""
    kinds = FUSED_ACTIVATIONS.get(node.op)
    if kinds is None or node.name in graph.outputs:
        return None
    consumers = readers[node.name] if readers is not None else list(graph.consumers(node.name))
    if len(consumers) != 1 or consumers[0].op not in kinds or float_reason(consumers[0]) is not None:
        return None
    return consumers[0]


def fix_point_source(nodes: Mapping[str, Node], fix_points: Mapping[str, int], name: str) -> str | None:
    """Return the node whose fix point the values of node ``name`` have; None where they are float.

    Parameters
    ----------
    nodes : nodes of the graph by name
    fix_points : fix points by node name
    name : node whose output is read; transparent nodes are followed to their input
    """
    while name not in fix_points:
        node = nodes[name]
        if node.op not in KEEPS_FIX_POINT:
            return None
        name = node.inputs[0]
    return name


def unquantized_nodes(graph: Graph, fix_points: Mapping[str, int]) -> list[str]:
    """Return the nodes that a model leaves in float: neither they nor the activation fused to them have a fix point.

    Parameters
    ----------
    graph : graph in the forms that the DPU has
    fix_points : fix points by node name, as they were stored
    """
    nodes = graph.by_name
    found = []
    for node in graph:
        fused = fused_activation(graph, node)
        quantized = fix_point_source(nodes, fix_points, node.name) is not None
        if node.op is not Op.INPUT and not quantized and (fused is None or fused.name not in fix_points):
            found.append(node.name)
    return found
