"""Replaces float ops by what the DPU computes instead: pool factors, leaky slope, hard sigmoid, swish."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nerone.graph import Graph, Node, Op
from nerone.quantization.topology import LEAKY_ALPHA, float_reason

__all__ = ["HARD_SIGMOID_SCALE", "average_pool_ratio", "to_dpu_forms"]

HARD_SIGMOID_SCALE = 2731 / 16384
_PLAIN_WINDOW = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
_POOL_RATIOS = {(3, 3): (7, 6), (5, 5): (10, 8), (6, 6): (7, 8), (7, 7): (21, 10), (14, 14): (21, 12)}


def average_pool_ratio(kernel: tuple[int, int]) -> tuple[int, int]:
    """Return (N, M): the DPU multiplies the window's sum by N / 2**M in place of 1 / (height * width)."""
    if kernel in _POOL_RATIOS:
        return _POOL_RATIOS[kernel]
    size = kernel[0] * kernel[1]
    best = (1, 0)
    for shift in range(math.ceil(math.log2(128 * size))):
        ratio = (math.floor(2**shift / size + 0.5), shift)
        if abs(ratio[0] / 2 ** ratio[1] - 1 / size) < abs(best[0] / 2 ** best[1] - 1 / size):
            best = ratio
    return best


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
    if node.op is Op.LEAKY_RELU and abs(node.attrs["alpha"] - 0.1) < 1e-3:
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
