"""Random quantized models: every node kind that the DPU has, odd sizes, fix points all over the legal range."""

from __future__ import annotations

import numpy as np

from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel


class ModelMaker:
    """Appends random nodes to a graph and gives them fix points."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.fix_points, self.weight_fix_points, self.floats = [], {}, {}, {}
        shape = (int(self.rng.integers(5, 14)), int(self.rng.integers(5, 14)), int(self.rng.integers(1, 6)))
        self.last = self.add(Op.INPUT, (), shape, fix_point=int(self.rng.integers(3, 8)))
        self.kept = [self.last]

    def add(self, op, inputs, shape, *, fix_point=None, attrs=None, weights=None):
        name = f"{op.value}_{len(self.nodes)}"
        inputs = tuple(node.name for node in inputs)
        node = Node(name, op, inputs, tuple(int(size) for size in shape), attrs or {}, weights or {}, name)
        self.nodes.append(node)
        if fix_point is not None:
            self.fix_points[name] = int(fix_point)
        return node

    def fix_point_of(self, node):
        while node.name not in self.fix_points:
            node = next(other for other in self.nodes if other.name == node.inputs[0])
        return self.fix_points[node.name]

    def _near(self, node, low=-2, high=2):
        return int(np.clip(self.fix_point_of(node) + self.rng.integers(low, high + 1), -2, 10))

    def _weights(self, node_name, source, shape, channels, bias):
        kernel_fix_point = int(self.rng.integers(5, 9))
        weights = {"kernel": self.rng.normal(0, 0.4, shape).astype(np.float32)}
        fix_points = {"kernel": kernel_fix_point}
        if bias:
            weights["bias"] = self.rng.normal(0, 1, channels).astype(np.float32)
            fix_points["bias"] = int(self.rng.integers(4, 9))
        self.weight_fix_points[node_name] = fix_points
        return weights

    def _pad(self, kernel):
        return tuple(int(self.rng.integers(0, kernel[axis])) for axis in (0, 0, 1, 1))

    def convolution(self, op):
        x, rng = self.last, self.rng
        height, width, channels = x.shape
        kernel = tuple(int(rng.integers(1, 4)) for _ in range(2))
        strides = tuple(int(rng.integers(1, 3)) for _ in range(2))
        dilation = tuple(int(rng.integers(1, 3)) if min(height, width) > 6 else 1 for _ in range(2))
        pad = self._pad(kernel)
        out = int(rng.integers(1, 9))
        name = f"{op.value}_{len(self.nodes)}"
        if op is Op.TRANSPOSED_CONV2D:
            kernel = tuple(max(size, 1) for size in kernel)
            pad = tuple(int(rng.integers(-1, kernel[axis])) for axis in (0, 0, 1, 1))
            pad = (max(0, pad[0]), pad[1], max(0, pad[2]), pad[3])
            shape = [
                (size - 1) * s + k - pad[2 * axis] - pad[2 * axis + 1]
                for axis, (size, s, k) in enumerate(zip((height, width), strides, kernel, strict=True))
            ]
            attrs = {"strides": strides, "pad": pad}
            weight_shape, channels_out = (*kernel, out, channels), out
        else:
            shape = [
                (size + pad[2 * a] + pad[2 * a + 1] - (kernel[a] - 1) * dilation[a] - 1) // strides[a] + 1
                for a, size in enumerate((height, width))
            ]
            attrs = {"strides": strides, "pad": pad, "dilation": dilation}
            depthwise = op is Op.DEPTHWISE_CONV2D
            multiplier = int(rng.integers(1, 3)) if depthwise else out
            channels_out = channels * multiplier if depthwise else out
            weight_shape = (*kernel, channels, multiplier)
        if min(shape) < 1 or max(shape) > 30:
            return
        weights = self._weights(name, x, weight_shape, channels_out, rng.random() < 0.7)
        self._with_activation(op, (x,), (*shape, channels_out), attrs, weights, [Op.RELU, Op.RELU6, Op.LEAKY_RELU])

    def _with_activation(self, op, inputs, shape, attrs, weights, kinds):
        fix_point = self._near(inputs[0], -3, 1)
        if self.rng.random() < 0.6:
            kind = kinds[int(self.rng.integers(len(kinds)))]
            node = self.add(op, inputs, shape, attrs=attrs, weights=weights)
            alpha = {"alpha": 26 / 256} if kind is Op.LEAKY_RELU else {}
            self.last = self.add(kind, (node,), shape, fix_point=fix_point, attrs=alpha)
        else:
            self.last = self.add(op, inputs, shape, attrs=attrs, weights=weights, fix_point=fix_point)

    def pool(self, op):
        x = self.last
        kernel = tuple(int(min(size, self.rng.integers(1, 4))) for size in x.shape[:2])
        strides = tuple(int(self.rng.integers(1, 3)) for _ in range(2))
        pad = self._pad(kernel) if min(kernel) > 1 else (0, 0, 0, 0)
        attrs = {"kernel": kernel, "strides": strides, "pad": pad, "count_include_pad": True}
        shape = [(x.shape[a] + pad[2 * a] + pad[2 * a + 1] - kernel[a]) // strides[a] + 1 for a in (0, 1)]
        self.last = self.add(op, (x,), (*shape, x.shape[2]), attrs=attrs, fix_point=self._near(x, -1, 1))

    def eltwise(self, op):
        same = [node for node in self.kept if node.shape == self.last.shape]
        other = same[int(self.rng.integers(len(same)))] if same else self.last
        self._with_activation(op, (self.last, other), self.last.shape, {}, {}, [Op.RELU])

    def concat(self):
        same = [node for node in self.kept if node.shape[:-1] == self.last.shape[:-1] and node.shape[-1] < 12]
        other = same[int(self.rng.integers(len(same)))] if same else self.last
        shape = (*self.last.shape[:-1], self.last.shape[-1] + other.shape[-1])
        inputs = (self.last, other)
        self.last = self.add(Op.CONCAT, inputs, shape, attrs={"axis": len(shape)}, fix_point=self._near(self.last))

    def upsample(self):
        scale = tuple(int(self.rng.integers(1, 3)) for _ in range(2))
        height, width, channels = self.last.shape
        if max(height, width) < 12:
            attrs = {"scale": scale, "method": "nearest", "half_pixel_centers": False, "align_corners": False}
            shape = (height * scale[0], width * scale[1], channels)
            self.last = self.add(Op.UPSAMPLE, (self.last,), shape, attrs=attrs, fix_point=self._near(self.last, -1, 1))

    def pad(self):
        pad = tuple(int(self.rng.integers(0, 3)) for _ in range(4))
        mode = ["constant", "reflect", "symmetric"][int(self.rng.integers(3))]
        height, width, channels = self.last.shape
        if min(height, width) > 2:
            shape = (height + pad[0] + pad[1], width + pad[2] + pad[3], channels)
            self.last = self.add(Op.PAD, (self.last,), shape, attrs={"pad": pad, "mode": mode})

    def crop(self):
        """Cut off random rows and columns; sometimes only to join the rest to an older value, as a U-Net does."""
        larger = [node for node in self.kept if node.shape[0] >= self.last.shape[0] <= 40 and node is not self.last]
        larger = [node for node in larger if node.shape[1] >= self.last.shape[1]]
        if larger and self.rng.random() < 0.5:
            skip, wanted = larger[int(self.rng.integers(len(larger)))], self.last
            first = [int(self.rng.integers(skip.shape[axis] - wanted.shape[axis] + 1)) for axis in (0, 1)]
            rest = [skip.shape[axis] - wanted.shape[axis] - first[axis] for axis in (0, 1)]
            attrs = {"crop": (first[0], rest[0], first[1], rest[1])}
            self.last = self.add(Op.CROP, (skip,), (*wanted.shape[:2], skip.shape[2]), attrs=attrs)
            shape = (*wanted.shape[:2], wanted.shape[2] + skip.shape[2])
            inputs = (self.last, wanted)
            self.last = self.add(Op.CONCAT, inputs, shape, attrs={"axis": 3}, fix_point=self._near(self.last))
            return
        height, width, channels = self.last.shape
        rows, columns = (sorted(self.rng.integers(0, size, 2).tolist()) for size in (height, width))
        attrs = {"crop": (rows[0], height - 1 - rows[1], columns[0], width - 1 - columns[1])}
        shape = (rows[1] - rows[0] + 1, columns[1] - columns[0] + 1, channels)
        fix_point = self._near(self.last, -1, 1) if self.rng.random() < 0.2 else None
        self.last = self.add(Op.CROP, (self.last,), shape, attrs=attrs, fix_point=fix_point)

    def pointwise(self, op):
        if op is not Op.HARD_SIGMOID and op is not Op.HARD_SWISH:
            attrs = {"alpha": 26 / 256} if op is Op.LEAKY_RELU else {}
            self.last = self.add(op, (self.last,), self.last.shape, attrs=attrs, fix_point=self._near(self.last, -1, 1))
        elif 0 <= self.fix_point_of(self.last) <= 8:
            fix_point = 7 if op is Op.HARD_SIGMOID else self._near(self.last, -1, 0)
            self.last = self.add(op, (self.last,), self.last.shape, fix_point=fix_point)

    def permute(self):
        height, width, channels = self.last.shape
        self.last = self.add(Op.PERMUTE, (self.last,), (width, channels, height), attrs={"axes": (0, 2, 3, 1)})

    def dropout(self):
        self.last = self.add(Op.DROPOUT, (self.last,), self.last.shape)

    def head(self):
        """Finish with a flatten, a dense layer and perhaps a softmax."""
        x = self.last
        flat = self.add(Op.RESHAPE, (x,), (int(np.prod(x.shape)),), attrs={"shape": (int(np.prod(x.shape)),)})
        count = int(self.rng.integers(2, 6))
        name = f"dense_{len(self.nodes)}"
        weights = self._weights(name, flat, (flat.shape[0], count), count, True)
        self._with_activation(Op.DENSE, (flat,), (count,), {}, weights, [Op.RELU, Op.RELU6, Op.LEAKY_RELU])

    def build(self, steps, crops=False):
        choices = [
            *[lambda op=op: self.convolution(op) for op in (Op.CONV2D, Op.DEPTHWISE_CONV2D, Op.TRANSPOSED_CONV2D)] * 2,
            lambda: self.pool(Op.MAX_POOL),
            lambda: self.pool(Op.AVG_POOL),
            lambda: self.eltwise(Op.ADD),
            lambda: self.eltwise(Op.MULTIPLY),
            self.concat,
            self.upsample,
            self.pad,
            self.permute,
            self.dropout,
            *[
                lambda op=op: self.pointwise(op)
                for op in (Op.RELU, Op.RELU6, Op.LEAKY_RELU, Op.HARD_SIGMOID, Op.HARD_SWISH)
            ],
        ]
        choices += [self.crop] * 8 * crops
        for _ in range(steps):
            choices[int(self.rng.integers(len(choices)))]()
            self.kept.append(self.last)
        idle = {Op.INPUT, Op.PERMUTE, Op.DROPOUT, Op.RESHAPE, Op.PAD, Op.CROP}
        if all(node.op in idle for node in self.nodes):
            # A model without work for the DPU is refused, which another test checks.
            self.pointwise(Op.RELU)
        if self.rng.random() < 0.3:
            self.head()
        outputs = [self.last]
        if self.rng.random() < 0.2 and len(self.kept) > 2 and self.kept[-2] is not self.last:
            outputs.append(self.kept[-2])
        names = tuple(dict.fromkeys(node.name for node in outputs))
        graph = Graph("random", tuple(self.nodes), (self.nodes[0].name,), names)
        return QuantizedModel(graph, self.fix_points, self.weight_fix_points, self.floats)


def random_model(seed, steps=None, crops=False):
    """Return a random QuantizedModel of a few to a dozen nodes, many of them crops where ``crops``."""
    maker = ModelMaker(seed)
    return maker.build(steps or int(maker.rng.integers(2, 10)), crops)
