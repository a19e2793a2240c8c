"""The framework-neutral graph of a model. Importers make it, the quantizer rewrites it, the compiler lowers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError

__all__ = ["Graph", "Node", "Op"]


class Op(str, Enum):
    """Kinds of node. Tensors are NHWC float32; attributes and weights of each kind are listed beside it.

    ``pad`` is (top, bottom, left, right) in pixels of zeros, never negative; ``kernel``, ``strides`` and ``dilation``
    are (height, width).
    """

    INPUT = "input"  # shape: (H, W, C) or (C,) without the batch axis
    CONV2D = "conv2d"  # strides, pad, dilation; kernel (Kh, Kw, Ci, Co), bias (Co,) optional
    DEPTHWISE_CONV2D = (
        "depthwise_conv2d"  # strides, pad, dilation; kernel (Kh, Kw, C, M), bias (C*M,); out channel c*M+m
    )
    TRANSPOSED_CONV2D = (
        "transposed_conv2d"  # strides, pad (cropped from the full output); kernel (Kh, Kw, Co, Ci), bias
    )
    DENSE = "dense"  # kernel (Ci, Co), bias (Co,) optional; acts on the last axis
    BATCH_NORM = "batch_norm"  # epsilon; gamma, beta, mean, variance (C,), gamma and beta optional
    RELU = "relu"
    RELU6 = "relu6"
    LEAKY_RELU = "leaky_relu"  # alpha
    SIGMOID = "sigmoid"
    HARD_SIGMOID = "hard_sigmoid"  # relu6(x + 3) * scale, scale 1 / 6 where absent
    SWISH = "swish"  # x * sigmoid(x)
    HARD_SWISH = "hard_swish"  # x * hard_sigmoid(x)
    TANH = "tanh"
    ELU = "elu"  # alpha (1 where absent): alpha * (exp(x) - 1) below zero
    SELU = "selu"
    GELU = "gelu"  # approximate (bool): by tanh, exact where absent
    SOFTMAX = "softmax"  # over the last axis
    MAX_POOL = (
        "max_pool"  # kernel, strides, pad; pads are never the maximum; global pools have kernel (H, W), global=True
    )
    AVG_POOL = "avg_pool"  # kernel, strides, pad, count_include_pad (bool), factor of the average (1 where absent)
    ADD = "add"  # two or more inputs, broadcasting
    MULTIPLY = "multiply"  # two or more inputs, broadcasting
    CONCAT = "concat"  # axis, counted with the batch axis
    UPSAMPLE = (
        "upsample"  # scale (height, width), method "nearest" or "bilinear", half_pixel_centers (bool), align_corners
    )
    CROP = "crop"  # crop (top, bottom, left, right) rows and columns that are cut off, leaving at least one
    PAD = "pad"  # pad, mode "constant" | "reflect" | "symmetric"
    RESHAPE = "reshape"  # shape without the batch axis (flatten too)
    PERMUTE = "permute"  # axes, counted with the batch axis, axes[0] == 0
    DROPOUT = "dropout"
    UNSUPPORTED = "unsupported"  # layer_class, reason: kept so that the report can name it; nothing can lower it


@dataclass(frozen=True)
class Node:
    """One operation with one output.

    Attributes
    ----------
    name : str, unique in its graph; the layer's name where the node is a whole layer
    op : Op
    inputs : tuple of str, names of the producing nodes, in order
    attrs : mapping of str to int, float, bool, str or tuple, as listed at :class:`Op`
    weights : mapping of str to float32 arrays, as listed at :class:`Op`
    shape : tuple of int, shape of the output without the batch axis
    layer : str, name of the user's layer this node came from, for reports
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    layer: str = ""

    def with_changes(self, **changes: Any) -> Node:
        """Return a copy of this node with some fields replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Graph:
    """A model: nodes in topological order, and which of them are its inputs and outputs."""

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            if node.name in seen:
                raise ModelError(f"graph '{self.name}' has two nodes named '{node.name}'; names must be unique")
            missing = [name for name in node.inputs if name not in seen]
            if missing:
                raise ModelError(
                    f"node '{node.name}' reads '{missing[0]}', which no earlier node of '{self.name}' produces"
                )
            seen.add(node.name)
        for name in (*self.inputs, *self.outputs):
            if name not in seen:
                raise ModelError(f"graph '{self.name}' names '{name}' as input or output, but has no such node")

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    @property
    def by_name(self) -> dict[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    def consumers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read the output of node ``name``."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def readers(self) -> dict[str, list[Node]]:
        """Return for every node the nodes that read its output, as `consumers` does for one."""
        found: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                found[source].append(node)
        return found
