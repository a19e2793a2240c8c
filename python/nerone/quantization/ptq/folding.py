"""Rewrites a trained graph for inference on the DPU: dropout removed, padding merged, batch norms folded."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.limits import padding_fits
from nerone.dpu.ops import WEIGHTED
from nerone.graph import Graph, Node, Op

__all__ = ["fold"]

Weights = dict[str, NDArray[np.float32]]
_PLAIN_WINDOW = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}


def fold(graph: Graph) -> Graph:
    """Return an equal graph without dropout and batch norm.

    A batch norm goes into the convolution or dense layer before it; a left-over one becomes a 1x1 depthwise
    convolution. Zero padding goes into the convolutions that read it.
    """
    graph = _remove_dropout(graph)
    graph = _fold_batch_norms(graph)
    graph = _convert_batch_norms(graph)
    return _merge_padding(graph)


def _rebuilt(graph: Graph, nodes: list[Node], renamed: Mapping[str, str]) -> Graph:
    """The graph of ``nodes`` where readers of a removed node read its replacement."""

    def final(name: str) -> str:
        while name in renamed:
            name = renamed[name]
        return name

    moved = tuple(node.with_changes(inputs=tuple(final(name) for name in node.inputs)) for node in nodes)
    return Graph(graph.name, moved, graph.inputs, tuple(final(name) for name in graph.outputs))


def _remove_dropout(graph: Graph) -> Graph:
    renamed = {node.name: node.inputs[0] for node in graph if node.op is Op.DROPOUT}
    return _rebuilt(graph, [node for node in graph if node.name not in renamed], renamed)


def _fold_batch_norms(graph: Graph) -> Graph:
    nodes = graph.by_name
    readers = {node.name: graph.consumers(node.name) for node in graph if node.op in WEIGHTED}
    folded: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph:
        if node.op is not Op.BATCH_NORM:
            continue
        # Several batch norms in a row fold one after the other into the same convolution.
        source = renamed.get(node.inputs[0], node.inputs[0])
        head = folded.get(source, nodes[source])
        only_reader = len(graph.consumers(node.inputs[0])) == 1 and len(readers.get(source, ())) == 1
        if head.op not in WEIGHTED or not only_reader or {source, node.inputs[0]} & set(graph.outputs):
            continue
        folded[source] = _fold_into(head, node)
        renamed[node.name] = source
    kept = [folded.get(node.name, node) for node in graph if node.name not in renamed]
    return _rebuilt(graph, kept, renamed)


def _affine(norm: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factor and offset per channel of a batch norm at inference."""
    mean = norm.weights["mean"].astype(np.float64)
    factor = 1.0 / np.sqrt(norm.weights["variance"].astype(np.float64) + norm.attrs["epsilon"])
    factor = factor * norm.weights.get("gamma", np.ones_like(factor))
    return factor, norm.weights.get("beta", np.zeros_like(mean)) - mean * factor


def _fold_into(head: Node, norm: Node) -> Node:
    factor, offset = _affine(norm)
    kernel = head.weights["kernel"].astype(np.float64)
    if head.op is Op.DEPTHWISE_CONV2D:
        kernel = kernel * factor.reshape(kernel.shape[2:])
    elif head.op is Op.TRANSPOSED_CONV2D:
        kernel = kernel * factor[:, None]
    else:
        kernel = kernel * factor
    bias = head.weights.get("bias", np.zeros(len(factor))) * factor + offset
    return head.with_changes(weights={"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)})


def _convert_batch_norms(graph: Graph) -> Graph:
    nodes: list[Node] = []
    for node in graph:
        nodes += _depthwise(node, graph[node.inputs[0]].shape) if node.op is Op.BATCH_NORM else [node]
    return Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs)


def _depthwise(norm: Node, shape: tuple[int, ...]) -> list[Node]:
    """A batch norm as a 1x1 depthwise convolution; vectors are reshaped to images and back."""
    factor, offset = _affine(norm)
    channels = len(factor)
    weights: Weights = {
        "kernel": factor.astype(np.float32).reshape(1, 1, channels, 1),
        "bias": offset.astype(np.float32),
    }
    if len(shape) == 3:
        return [norm.with_changes(op=Op.DEPTHWISE_CONV2D, attrs=_PLAIN_WINDOW, weights=weights)]
    image = (1, math.prod(shape[:-1]), channels)
    layer = norm.layer or norm.name
    before = Node(f"{norm.name}_image", Op.RESHAPE, norm.inputs, image, {"shape": image}, {}, layer)
    conv = Node(f"{norm.name}_scale", Op.DEPTHWISE_CONV2D, (before.name,), image, _PLAIN_WINDOW, weights, layer)
    return [before, conv, Node(norm.name, Op.RESHAPE, (conv.name,), shape, {"shape": shape}, {}, layer)]


def _merge_padding(graph: Graph) -> Graph:
    merged: dict[str, Node] = {}
    removed: dict[str, str] = {}
    for node in graph:
        readers = graph.consumers(node.name)
        if node.op is not Op.PAD or node.attrs["mode"] != "constant" or node.name in graph.outputs or not readers:
            continue
        wider = [_with_padding(merged.get(reader.name, reader), node) for reader in readers]
        if all(reader is not None for reader in wider):
            merged.update({reader.name: reader for reader in wider if reader is not None})
            removed[node.name] = node.inputs[0]
    kept = [merged.get(node.name, node) for node in graph if node.name not in removed]
    return _rebuilt(graph, kept, removed)


def _with_padding(reader: Node, pad: Node) -> Node | None:
    """``reader`` with the zeros of ``pad`` as its own; None where it cannot take them."""
    if reader.op not in (Op.CONV2D, Op.DEPTHWISE_CONV2D):
        return None
    total = tuple(own + more for own, more in zip(reader.attrs["pad"], pad.attrs["pad"], strict=True))
    if not padding_fits(total, reader.weights["kernel"].shape[:2], reader.attrs["dilation"]):
        return None
    return reader.with_changes(attrs={**reader.attrs, "pad": total})
