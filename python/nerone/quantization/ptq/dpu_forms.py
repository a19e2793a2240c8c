"""Replaces float ops by what the DPU computes instead: pool factors, leaky slope, hard sigmoid, swish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nerone.dpu.arithmetic import HARD_SIGMOID_SCALE, LEAKY_ALPHA, average_pool_ratio, is_leaky_slope
from nerone.dpu.ops import float_reason
from nerone.graph import Graph, Node, Op

__all__ = ["to_dpu_forms"]

_PLAIN_WINDOW = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}


def to_dpu_forms(
    graph: Graph, *, sigmoid: bool = True, swish: bool = True, leaky: bool = False, keep_final_sigmoid: bool = False
) -> Graph:
    """Return the graph with the DPU's substitutes.

    Parameters
    ----------
    graph : Graph with batch norms folded
    sigmoid, swish : whether sigmoid becomes a hard sigmoid and swish x times it; they stay in float otherwise
    leaky : whether a leaky ReLU whose slope is not 0.1 becomes two scaled branches and their sum
    keep_final_sigmoid : whether a sigmoid that only ends the model stays in float, like a softmax
    """
    nodes: list[Node] = []
    for node in graph:
        final = keep_final_sigmoid and node.name in graph.outputs and not graph.consumers(node.name)
        nodes += _substitute(node, sigmoid=sigmoid and not final, swish=swish, leaky=leaky)
    return Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs)


def _substitute(node: Node, *, sigmoid: bool, swish: bool, leaky: bool) -> list[Node]:
    if node.op is Op.AVG_POOL and float_reason(node) is None:
        numerator, shift = average_pool_ratio(tuple(node.attrs["kernel"]))
        size = node.attrs["kernel"][0] * node.attrs["kernel"][1]
        return [node.with_changes(attrs={**node.attrs, "factor": numerator * size / 2**shift})]
    if node.op is Op.LEAKY_RELU and is_leaky_slope(node.attrs["alpha"]):
        return [node.with_changes(attrs={**node.attrs, "alpha": LEAKY_ALPHA})]
    if node.op is Op.LEAKY_RELU and leaky and len(node.shape) == 3 and 0 < node.attrs["alpha"] < 1:
        return _leaky(node)
    if node.op is Op.HARD_SIGMOID or (node.op is Op.SIGMOID and sigmoid):
        return [node.with_changes(op=Op.HARD_SIGMOID, attrs=_scaled(node.attrs))]
    if node.op is Op.HARD_SWISH or (node.op is Op.SWISH and swish):
        gate = node.with_changes(
            name=f"{node.name}_sigmoid", op=Op.HARD_SIGMOID, attrs=_scaled(node.attrs), layer=node.layer
        )
        return [gate, node.with_changes(op=Op.MULTIPLY, inputs=(*node.inputs, gate.name), attrs={})]
    return [node]


def _leaky(node: Node) -> list[Node]:
    """``slope * x + relu((1 - slope) * x)``: the DPU's own LeakyReLU has one slope only."""
    channels, slope = node.shape[-1], float(node.attrs["alpha"])
    layer = node.layer or node.name

    def scaled(suffix: str, factor: float) -> Node:
        weights = {"kernel": np.full((1, 1, channels, 1), factor, np.float32)}
        name = f"{node.name}_{suffix}"
        return Node(name, Op.DEPTHWISE_CONV2D, node.inputs, node.shape, dict(_PLAIN_WINDOW), weights, layer)

    below, above = scaled("slope", slope), scaled("above", 1.0 - slope)
    bent = Node(f"{node.name}_above_relu", Op.RELU, (above.name,), node.shape, layer=layer)
    return [below, above, bent, node.with_changes(op=Op.ADD, inputs=(below.name, bent.name), attrs={})]


def _scaled(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {**attrs, "scale": HARD_SIGMOID_SCALE}
