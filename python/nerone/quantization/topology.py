"""Where a graph's values are quantized, which nodes stay in float, and how positions travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nerone.graph import Graph, Node, Op

__all__ = [
    "LEAKY_ALPHA",
    "TRANSPARENT",
    "WEIGHTED",
    "QuantizationPlan",
    "float_reason",
    "fused_activation",
    "plan",
    "position_source",
]

# Slope of the DPU's leaky ReLU.
LEAKY_ALPHA = 26 / 256

WEIGHTED = frozenset({Op.CONV2D, Op.DEPTHWISE_CONV2D, Op.TRANSPOSED_CONV2D, Op.DENSE})
# Int8 values pass through unchanged, with the position of the input.
TRANSPARENT = frozenset({Op.CROP, Op.PAD, Op.RESHAPE, Op.PERMUTE, Op.DROPOUT})
_FUSABLE = {
    **dict.fromkeys(WEIGHTED, frozenset({Op.RELU, Op.RELU6, Op.LEAKY_RELU})),
    Op.ADD: frozenset({Op.RELU}),
    Op.MULTIPLY: frozenset({Op.RELU}),
}
_FLOAT_REASONS = {
    Op.SOFTMAX: "the DPU has no softmax",
    Op.TANH: "the DPU has no tanh",
    Op.ELU: "the DPU has no ELU",
    Op.SELU: "the DPU has no SELU",
    Op.GELU: "the DPU has no GELU",
    Op.SIGMOID: "the DPU has no exact sigmoid",
    Op.SWISH: "the DPU has no exact swish",
    Op.BATCH_NORM: "the batch norm could not be folded into a convolution",
}


@dataclass(frozen=True)
class QuantizationPlan:
    """Which outputs become int8.

    Attributes
    ----------
    points : tuple of str, nodes whose output is quantized, in topological order
    float_nodes : mapping of node name to the reason why it stays in float
    """

    points: tuple[str, ...]
    float_nodes: Mapping[str, str]


def float_reason(node: Node) -> str | None:
    """Return why a node cannot run on the DPU; None where it can."""
    if node.op is Op.LEAKY_RELU and node.attrs["alpha"] != LEAKY_ALPHA:
        return f"the DPU's leaky ReLU has slope 26/256, this one {node.attrs['alpha']:g}"
    if node.op is Op.AVG_POOL and any(node.attrs["pad"]) and not node.attrs.get("count_include_pad", True):
        return "an average that leaves the padding out; the DPU divides by the whole window"
    return _FLOAT_REASONS.get(node.op)


def plan(graph: Graph) -> QuantizationPlan:
    """Decide the quantization points of a folded graph.

    A convolution, dense layer, addition or multiplication whose only reader is a ReLU-like activation is quantized
    after that activation only. A float node is quantized again where an int8 node reads it.
    """
    readers = _readers(graph)
    floats: dict[str, str] = {}
    for node in graph:
        if node.op is Op.INPUT:
            continue
        reason = float_reason(node)
        if reason is None and node.op in TRANSPARENT and node.inputs[0] in floats:
            reason = "its input stays in float"
        if reason is not None:
            floats[node.name] = reason
    points = []
    for node in graph:
        consumers = readers[node.name]
        int8_readers = any(reader.name not in floats and reader.op not in TRANSPARENT for reader in consumers)
        if node.op is Op.INPUT:
            wanted = not consumers or any(reader.name not in floats for reader in consumers)
        elif node.name in floats:
            wanted = int8_readers
        else:
            wanted = node.op not in TRANSPARENT and fused_activation(graph, node, readers) is None
        if wanted:
            points.append(node.name)
    return QuantizationPlan(tuple(points), floats)


def fused_activation(graph: Graph, node: Node, readers: Mapping[str, list[Node]] | None = None) -> Node | None:
    """Return the activation that the DPU computes in one go with ``node``; None where there is none."""
    kinds = _FUSABLE.get(node.op)
    if kinds is None or node.name in graph.outputs:
        return None
    consumers = readers[node.name] if readers is not None else list(graph.consumers(node.name))
    if len(consumers) != 1 or consumers[0].op not in kinds or float_reason(consumers[0]) is not None:
        return None
    return consumers[0]


def position_source(nodes: Mapping[str, Node], positions: Mapping[str, int], name: str) -> str | None:
    """Return the node whose position the values of node ``name`` have; None where they are float.

    Parameters
    ----------
    nodes : nodes of the graph by name
    positions : positions by node name
    name : node whose output is read; transparent nodes are followed to their input
    """
    while name not in positions:
        node = nodes[name]
        if node.op not in TRANSPARENT:
            return None
        name = node.inputs[0]
    return name


def _readers(graph: Graph) -> dict[str, list[Node]]:
    readers: dict[str, list[Node]] = {node.name: [] for node in graph}
    for node in graph:
        for source in dict.fromkeys(node.inputs):
            readers[source].append(node)
    return readers
