"""Second moments of what the kernels of a graph are multiplied with.

For a layer whose kernel is a matrix of D rows, one per value of the window, they are the mean of ``x x'`` over windows
``x`` with a one appended: (D + 1, D + 1). They give how errors of kernel values add up in the layer's output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.ops import WEIGHTED
from nerone.graph import Graph, Node, Op
from nerone.quantization.executor import compiled_for, evaluate
from nerone.quantization.tf_ops import import_tensorflow

__all__ = ["Matrix", "from_rows", "input_moments", "kernel_rows"]

Matrix = NDArray[np.float64]
_BATCH = 4
# Windows of one image that are looked at, about; neighbours say nearly the same.
_WINDOWS = 1024
# Rows of a kernel above which a layer is left out: its moments take too much memory.
_MAX_ROWS = 2304


def kernel_rows(node: Node) -> Matrix:
    """Return the kernel as (groups, D, outputs of a group), rows in the order of the moments."""
    kernel = node.weights["kernel"].astype(np.float64)
    if node.op is Op.DEPTHWISE_CONV2D:
        return np.asarray(kernel.reshape(-1, *kernel.shape[2:]).transpose(1, 0, 2))
    if node.op is Op.TRANSPOSED_CONV2D:
        kernel = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return np.asarray(kernel.reshape(1, -1, kernel.shape[-1]))


def from_rows(node: Node, rows: Matrix) -> NDArray[np.float32]:
    """Return what :func:`kernel_rows` made of a kernel in the layout of the node's kernel."""
    shape = node.weights["kernel"].shape
    if node.op is Op.DEPTHWISE_CONV2D:
        kernel = rows.transpose(1, 0, 2).reshape(shape)
    elif node.op is Op.TRANSPOSED_CONV2D:
        kernel = rows.reshape(shape[0], shape[1], shape[3], shape[2])[::-1, ::-1].transpose(0, 1, 3, 2)
    else:
        kernel = rows.reshape(shape)
    return np.ascontiguousarray(kernel, np.float32)


def input_moments(graph: Graph, *parts: Sequence[NDArray[np.float32]]) -> list[dict[str, Matrix]]:
    """Return for each set of images (groups, D + 1, D + 1) per weighted node, in float; depthwise layers have one group
    per channel.

    Parameters
    ----------
    graph : Graph in its DPU form
    parts : sets of images, each one (N, ...) float32 array per input
    """
    tf = import_tensorflow()
    nodes = [node for node in graph if node.op in WEIGHTED and kernel_rows(node).shape[1] <= _MAX_ROWS]

    def run(*feeds: Any) -> list[Any]:
        values = evaluate(graph, dict(zip(graph.inputs, feeds, strict=True)))
        return [_moments(tf, _windows(tf, node, values[node.inputs[0]])) for node in nodes]

    compiled = compiled_for(graph, run)

    def mean(images: Sequence[NDArray[np.float32]]) -> dict[str, Matrix]:
        totals: dict[str, Matrix] = {}
        for start in range(0, len(images[0]), _BATCH):
            for node, found in zip(nodes, compiled(*(array[start : start + _BATCH] for array in images)), strict=True):
                if node.name in totals:
                    totals[node.name] += found.numpy()
                else:
                    totals[node.name] = found.numpy().astype(np.float64)
        for total in totals.values():
            total /= total[:, -1:, -1:].copy()
        return totals

    return [mean(images) for images in parts]


def _moments(tf: Any, windows: Any) -> Any:
    """(groups, D + 1, D + 1) of (groups, windows, D)."""
    with_one = tf.concat([windows, tf.ones_like(windows[..., :1])], -1)
    return tf.matmul(with_one, with_one, transpose_a=True)


def _windows(tf: Any, node: Node, value: Any) -> Any:
    """Windows of a layer's input as (groups, windows, D); of large images every few of them."""
    kernel = node.weights["kernel"].shape
    if node.op is Op.DENSE:
        return tf.reshape(value, (1, -1, kernel[0]))
    if node.op is Op.TRANSPOSED_CONV2D:
        value, strides, dilation = _spread(tf, node, value), (1, 1), (1, 1)
    else:
        top, bottom, left, right = node.attrs["pad"]
        value = tf.pad(value, [[0, 0], [top, bottom], [left, right], [0, 0]])
        strides, dilation = node.attrs["strides"], node.attrs["dilation"]
    step = _thinning(node)
    steps = [1, strides[0] * step, strides[1] * step, 1]
    patches = tf.image.extract_patches(value, [1, *kernel[:2], 1], steps, [1, *dilation, 1], "VALID")
    area, channels = kernel[0] * kernel[1], value.shape[-1]
    if node.op is Op.DEPTHWISE_CONV2D:
        return tf.transpose(tf.reshape(patches, (-1, area, channels)), (2, 0, 1))
    return tf.reshape(patches, (1, -1, area * channels))


def _thinning(node: Node) -> int:
    height, width, _ = node.shape
    step = int(np.sqrt(height * width / _WINDOWS))
    # Odd steps meet every phase of an upsampled image.
    return step + 1 - step % 2


def _spread(tf: Any, node: Node, value: Any) -> Any:
    """The image of which a transposed convolution is the plain one, with zeros between and around the pixels."""
    _, height, width, channels = value.shape
    rows, columns = node.attrs["strides"]
    wide = tf.pad(value[:, :, None, :, None], [[0, 0], [0, 0], [0, rows - 1], [0, 0], [0, columns - 1], [0, 0]])
    wide = tf.reshape(wide, (-1, height * rows, width * columns, channels))
    wide = wide[:, : (height - 1) * rows + 1, : (width - 1) * columns + 1]
    edges, parts = [], []
    crops, lengths = node.attrs["pad"][::2], node.weights["kernel"].shape[:2]
    for now, size, crop, length in zip(wide.shape[1:3], node.shape[:2], crops, lengths, strict=True):
        before, needed = length - 1 - crop, size + length - 1
        edges.append([max(before, 0), max(needed - before - now, 0)])
        parts.append(slice(max(-before, 0), max(-before, 0) + needed))
    return tf.pad(wide, [[0, 0], *edges, [0, 0]])[:, parts[0], parts[1]]
