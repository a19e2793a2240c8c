"""The shifts of a quantized graph and the ranges the DPU has for them.

With i, w, b, o = fix points of input, weight, bias and output (source: the ``pof2s`` strategy of vai_q_tensorflow2,
Apache-2.0):

- hard sigmoid: 0 <= i <= 15, 7 <= o <= 14 + i
- add, multiply: max i - min i <= 15, -15 <= min i - o <= 15
- swish (x times its own hard sigmoid): 0 <= i0 + i1 - o <= 15
- convolutions and dense: 0 <= w + i - o <= 16, min(0, w + i - o - 16) <= w + i - b <= 16, and >= 0 with leaky ReLU
"""

from __future__ import annotations

from collections.abc import Mapping

from nerone.dpu.arithmetic import GATE_FIX_POINT, MAX_CUT, MAX_ELTWISE, SIGMOID_SHIFT
from nerone.dpu.ops import WEIGHTED
from nerone.graph import Graph, Node, Op
from nerone.quantization.topology import fix_point_source, fused_activation

__all__ = ["Neighbours", "bias_range", "violations"]


class Neighbours:
    """For every node the quantization points whose fix points meet in it.

    Attributes
    ----------
    inputs : mapping of node name to the points it reads, float inputs left out
    outputs : mapping of node name to the point where its result is quantized (itself or its fused activation), or None
    swishes : frozenset of names of multiplications that multiply a value by its own hard sigmoid
    leaky : frozenset of names of weighted nodes whose fused activation is a leaky ReLU
    """

    def __init__(self, graph: Graph, points: Mapping[str, int]) -> None:
        nodes = graph.by_name
        self.inputs: dict[str, list[str]] = {}
        self.outputs: dict[str, str | None] = {}
        swishes, leaky = set(), set()
        for node in graph:
            sources = [fix_point_source(nodes, points, name) for name in node.inputs]
            self.inputs[node.name] = [source for source in sources if source is not None]
            fused = fused_activation(graph, node)
            final = node.name if fused is None or node.name in points else fused.name
            self.outputs[node.name] = final if final in points else None
            if fused is not None and fused.op is Op.LEAKY_RELU:
                leaky.add(node.name)
            if _is_swish(node, nodes) and len(self.inputs[node.name]) == 2:
                swishes.add(node.name)
        self.swishes, self.leaky = frozenset(swishes), frozenset(leaky)


def _is_swish(node: Node, nodes: Mapping[str, Node]) -> bool:
    if node.op is not Op.MULTIPLY or len(node.inputs) != 2:
        return False
    pairs = (node.inputs, node.inputs[::-1])
    return any(nodes[gate].op is Op.HARD_SIGMOID and nodes[gate].inputs[0] == value for value, gate in pairs)


def bias_range(shift_cut: int, *, leaky: bool) -> tuple[int, int]:
    """Return the smallest and largest shift of the bias."""
    return (0 if leaky else min(0, shift_cut - MAX_CUT)), MAX_CUT


def violations(graph: Graph, fix_points: Mapping[str, int], weights: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence per shift that is out of the DPU's range; none for a model that compiles.

    Parameters
    ----------
    graph : Graph in its DPU form
    fix_points : by name of the quantization point
    weights : {"kernel": int, "bias": int} by name of the weighted node
    """
    near = Neighbours(graph, fix_points)
    found: list[str] = []
    for node in graph:
        output = near.outputs[node.name]
        inputs = [fix_points[name] for name in near.inputs[node.name]]
        if not inputs or output is None:
            continue
        ranges = _ranges(node, near, inputs, fix_points[output], weights.get(node.name, {}))
        found += [
            f"{node.name}: {what} is {value}, the DPU has {low} .. {high}"
            for what, (value, low, high) in ranges.items()
            if not low <= value <= high
        ]
    return found


def _ranges(
    node: Node, near: Neighbours, inputs: list[int], output: int, weights: Mapping[str, int]
) -> dict[str, tuple[int, int, int]]:
    """Value, minimum and maximum of every shift of a node."""
    if node.op in WEIGHTED and "kernel" in weights:
        total = weights["kernel"] + inputs[0]
        shifts = {"shift_cut": (total - output, 0, MAX_CUT)}
        if "bias" in weights:
            limits = bias_range(total - output, leaky=node.name in near.leaky)
            shifts["shift_bias"] = (total - weights["bias"], *limits)
        return shifts
    if node.op is Op.HARD_SIGMOID:
        return {
            "sigmoid input": (inputs[0], 0, MAX_ELTWISE),
            "sigmoid output": (output, GATE_FIX_POINT, SIGMOID_SHIFT + inputs[0]),
        }
    if node.op in (Op.ADD, Op.MULTIPLY):
        shifts = {
            "shift_read": (max(inputs) - min(inputs), 0, MAX_ELTWISE),
            "shift_write": (min(inputs) - output, -MAX_ELTWISE, MAX_ELTWISE),
        }
        if node.name in near.swishes:
            shifts["shift_swish"] = (sum(inputs) - output, 0, MAX_ELTWISE)
        return shifts
    return {}
