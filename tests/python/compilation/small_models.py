"""Small quantized models, built by hand."""

from __future__ import annotations

import numpy as np

from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel


class Maker:
    """Nodes one after the other; every quantized one at the given fix point."""

    def __init__(self, shape=(8, 8, 4), fix_point=6, seed=7):
        self.nodes = [Node("x", Op.INPUT, (), shape)]
        self.fix_points = {"x": fix_point}
        self.weight_fix_points = {}
        self.floats = {}
        self.rng = np.random.default_rng(seed)

    def add(self, name, op, shape, inputs=None, *, fix_point=None, attrs=None, weights=None, reason=None, layer=""):
        inputs = (self.nodes[-1].name,) if inputs is None else inputs
        self.nodes.append(Node(name, op, tuple(inputs), shape, attrs or {}, weights or {}, layer or name))
        if fix_point is not None:
            self.fix_points[name] = fix_point
        if weights:
            self.weight_fix_points[name] = dict.fromkeys(weights, 7)
        if reason:
            self.floats[name] = reason
        return self

    def conv(self, name, channels, *, kernel=(3, 3), strides=(1, 1), dilation=(1, 1), fix_point=5, **more):
        height, width, depth = self.nodes[-1].shape
        pad = tuple(((k - 1) * d) // 2 for k, d in zip(kernel, dilation, strict=True) for _ in (0, 1))
        weights = {
            "kernel": self.rng.normal(0, 0.3, (*kernel, depth, channels)).astype(np.float32),
            "bias": self.rng.normal(0, 0.5, channels).astype(np.float32),
        }
        shape = (
            (height + pad[0] + pad[1] - (kernel[0] - 1) * dilation[0] - 1) // strides[0] + 1,
            (width + pad[2] + pad[3] - (kernel[1] - 1) * dilation[1] - 1) // strides[1] + 1,
            channels,
        )
        attrs = {"strides": strides, "pad": pad, "dilation": dilation}
        return self.add(name, Op.CONV2D, shape, attrs=attrs, weights=weights, fix_point=fix_point, **more)

    def model(self, *outputs):
        graph = Graph("small", tuple(self.nodes), ("x",), outputs or (self.nodes[-1].name,))
        return QuantizedModel(graph, self.fix_points, self.weight_fix_points, self.floats)
