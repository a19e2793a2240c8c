"""The output of a trained network: two classes from one sigmoid, and the part of the input it covers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.graph import Graph, Node, Op

__all__ = ["covered", "with_two_classes"]

_POINT = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
_SHRINKING = frozenset({Op.CONV2D, Op.DEPTHWISE_CONV2D, Op.MAX_POOL, Op.AVG_POOL})
_LOST = frozenset({Op.RESHAPE, Op.PERMUTE})


def with_two_classes(graph: Graph) -> Graph:
    """Return a network with one sigmoid channel as the equal one with a softmax over two classes.

    With p = sigmoid(z), softmax((0, z)) is (1 - p, p): the largest score is the class, as everywhere in a bundle.

    Raises
    ------
    ConfigurationError
        The output has one channel, and it is no sigmoid.
    """
    last = graph[graph.outputs[0]]
    if last.shape[-1] != 1 or len(last.shape) not in (1, 3):
        return graph
    if last.op is not Op.SIGMOID:
        raise ConfigurationError(
            f"the network's output '{last.name}' has one channel, in which no class can be the largest; end the model "
            "with a sigmoid (background and foreground), or with a softmax over two channels"
        )
    shape = (*last.shape[:-1], 2)
    source = graph[last.inputs[0]]
    nodes = [node for node in graph if node is not last]
    if source.op in (Op.CONV2D, Op.DENSE) and len(graph.consumers(source.name)) == 1:
        empty = {key: np.concatenate([np.zeros_like(value), value], -1) for key, value in source.weights.items()}
        nodes[nodes.index(source)] = source.with_changes(weights=empty, shape=shape)
    else:
        kernel, image = np.array([[0.0, 1.0]], np.float32), len(shape) == 3
        source = Node(
            f"{last.name}_classes",
            Op.CONV2D if image else Op.DENSE,
            last.inputs,
            shape,
            dict(_POINT) if image else {},
            {"kernel": kernel[None, None] if image else kernel},
            last.layer,
        )
        nodes.append(source)
    nodes.append(replace(last, op=Op.SOFTMAX, inputs=(source.name,), shape=shape, attrs={}))
    return Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs)


def covered(graph: Graph) -> tuple[int, ...]:
    """Return (rows, columns) in the middle of the input that the output covers; empty where that is all of it.

    Convolutions without padding leave out the image's border. Strides that are not undone make the output
    coarser, not smaller.
    """
    source, last = graph[graph.inputs[0]], graph[graph.outputs[0]]
    steps: dict[str, tuple[float, float] | None] = {}
    for node in graph:
        before = (1.0, 1.0) if node.op is Op.INPUT else next((steps[name] for name in node.inputs if steps[name]), None)
        steps[node.name] = _step(node, before)
    step = steps[last.name]
    if step is None or len(source.shape) != 3 or len(last.shape) != 3:
        return ()
    sizes = [
        min(size, math.floor(own * by + 0.5)) for size, own, by in zip(source.shape, last.shape, step, strict=False)
    ]
    return () if tuple(sizes) == source.shape[:2] else tuple(sizes)


def _step(node: Node, before: tuple[float, float] | None) -> tuple[float, float] | None:
    """Pixels of the input between two of a node's output."""
    if before is None or node.op in _LOST or len(node.shape) != 3 or node.attrs.get("global"):
        return None
    if node.op in _SHRINKING:
        down = node.attrs["strides"]
        return before[0] * down[0], before[1] * down[1]
    if node.op in (Op.TRANSPOSED_CONV2D, Op.UPSAMPLE):
        up = node.attrs["strides" if node.op is Op.TRANSPOSED_CONV2D else "scale"]
        return before[0] / up[0], before[1] / up[1]
    return before
