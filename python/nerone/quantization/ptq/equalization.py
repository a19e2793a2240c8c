"""Cross-layer equalization: moves scale from channels with large weights to the next layer.

Source: Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019, with the
clipping of vai_q_tensorflow2 (Apache-2.0): factors within 0.1 .. 10, none where both layers' weights are below the
threshold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nerone.graph import Graph, Node, Op

__all__ = ["equalization_pairs", "equalize"]

Weights = dict[str, NDArray[np.float32]]
_CONVS = (Op.CONV2D, Op.DEPTHWISE_CONV2D)


def equalize(graph: Graph, *, steps: int = 10, threshold: float = 0.1) -> Graph:
    """Return an equal graph whose neighbouring convolutions have balanced channels.

    Parameters
    ----------
    graph : Graph with batch norms folded
    steps : int, passes over all pairs
    threshold : float, channels whose largest weights sum to less stay as they are
    """
    pairs = list(equalization_pairs(graph))
    weights: dict[str, Weights] = {node.name: dict(node.weights) for pair in pairs for node in pair}
    for _ in range(steps):
        for head, tail in pairs:
            _balance(head, tail, weights, threshold)
    nodes = tuple(node.with_changes(weights=weights.get(node.name, node.weights)) for node in graph)
    return Graph(graph.name, nodes, graph.inputs, graph.outputs)


def equalization_pairs(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """Yield (head, tail) convolutions joined directly or through one plain ReLU that only the tail reads."""
    nodes = graph.by_name
    for tail in graph:
        if tail.op not in _CONVS:
            continue
        source = nodes[tail.inputs[0]]
        between = [source]
        if source.op is Op.RELU:
            source = nodes[source.inputs[0]]
            between.append(source)
        alone = all(len(graph.consumers(node.name)) == 1 and node.name not in graph.outputs for node in between)
        if alone and source.op in _CONVS and _multiplier(source) == 1 and _multiplier(tail) == 1:
            yield source, tail


def _multiplier(node: Node) -> int:
    return int(node.weights["kernel"].shape[3]) if node.op is Op.DEPTHWISE_CONV2D else 1


def _balance(head: Node, tail: Node, weights: dict[str, Weights], threshold: float) -> None:
    own, following = weights[head.name], weights[tail.name]
    kernel = own["kernel"]
    depthwise = head.op is Op.DEPTHWISE_CONV2D
    largest_head = np.abs(kernel).max(axis=(0, 1, 3) if depthwise else (0, 1, 2))
    if "bias" in own:
        largest_head = np.maximum(largest_head, np.abs(own["bias"]))
    largest_tail = np.abs(following["kernel"]).max(axis=(0, 1, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.clip(np.sqrt(largest_tail / largest_head), 0.1, 10.0)
    scale = np.where(largest_head + largest_tail < threshold, 1.0, scale).astype(np.float32)
    own["kernel"] = kernel * (scale[:, None] if depthwise else scale)
    if "bias" in own:
        own["bias"] = own["bias"] * scale
    following["kernel"] = following["kernel"] / scale[:, None]
