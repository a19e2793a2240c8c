"""Random graphs in DPU form, for tests that need many of them quickly."""

from __future__ import annotations

import numpy as np

from nerone.graph import GraphBuilder, Op

WINDOW = {"strides": (1, 1), "pad": (0, 0, 0, 0)}
ACTIVATIONS = (Op.RELU, Op.RELU6, Op.LEAKY_RELU)


class RandomGraph:
    """Builds a connected graph of images of one size, so that any two tensors can be joined."""

    def __init__(self, seed, size=(2, 2)):
        self.rng = np.random.default_rng(seed)
        self.builder = GraphBuilder(f"random{seed}")
        self.count = 0
        self.names = [self.builder.add(Op.INPUT, [], name="image", attrs={"shape": (*size, 2)})]

    def build(self, steps):
        makers = (self.conv, self.conv, self.depthwise, self.join, self.join, self.concat, self.pool)
        makers += (self.gate, self.swish, self.activation, self.island, self.transparent)
        for _ in range(steps):
            self.names.append(makers[self.rng.integers(len(makers))]())
        readers = set()
        for name in self.names:
            readers.update(self.builder.sources(name))
        ends = [name for name in self.names[1:] if name not in readers] or [self.names[-1]]
        return self.builder.build(["image"], ends)

    def add(self, op, inputs, attrs=None, weights=None):
        self.count += 1
        return self.builder.add(op, inputs, name=f"{op.value}{self.count}", attrs=attrs, weights=weights)

    def pick(self):
        # Late nodes more often, so that graphs grow deep.
        index = len(self.names) - 1 - int(self.rng.geometric(0.4)) % len(self.names)
        return self.names[max(index, 0)]

    def conv(self):
        return self.weighted(Op.CONV2D, lambda channels: (1, 1, channels, 2), 2)

    def depthwise(self):
        return self.weighted(Op.DEPTHWISE_CONV2D, lambda channels: (1, 1, channels, 1), None)

    def weighted(self, op, shape, outputs):
        source = self.pick()
        channels = self.builder.shape(source)[-1]
        kernel = self.rng.normal(size=shape(channels)) * 2.0 ** self.rng.integers(-9, 5)
        bias = self.rng.normal(size=outputs or channels) * 2.0 ** self.rng.integers(-9, 5)
        weights = {"kernel": kernel, "bias": bias if self.rng.random() < 0.7 else None}
        node = self.add(op, [source], {**WINDOW, "dilation": (1, 1)}, weights)
        return self.activated(node) if self.rng.random() < 0.6 else node

    def activated(self, node):
        op = ACTIVATIONS[self.rng.integers(len(ACTIVATIONS))]
        return self.add(op, [node], {"alpha": 26 / 256} if op is Op.LEAKY_RELU else None)

    def same_shape(self, name):
        shape = self.builder.shape(name)
        return [other for other in self.names if self.builder.shape(other) == shape]

    def join(self):
        first = self.pick()
        others = self.same_shape(first)
        op = Op.ADD if self.rng.random() < 0.6 else Op.MULTIPLY
        node = self.add(op, [first, others[self.rng.integers(len(others))]])
        return self.add(Op.RELU, [node]) if self.rng.random() < 0.4 else node

    def concat(self):
        names = [self.pick() for _ in range(self.rng.integers(2, 4))]
        if sum(self.builder.shape(name)[-1] for name in names) > 24:
            return self.conv()
        return self.add(Op.CONCAT, names, {"axis": 3})

    def pool(self):
        op = Op.MAX_POOL if self.rng.random() < 0.6 else Op.AVG_POOL
        return self.add(op, [self.pick()], {**WINDOW, "kernel": (1, 1), "count_include_pad": True})

    def gate(self):
        return self.add(Op.HARD_SIGMOID, [self.pick()], {"scale": 2731 / 16384})

    def swish(self):
        source = self.pick()
        return self.add(Op.MULTIPLY, [source, self.add(Op.HARD_SIGMOID, [source], {"scale": 2731 / 16384})])

    def activation(self):
        return self.activated(self.pick())

    def island(self):
        return self.add(Op.TANH, [self.pick()])

    def transparent(self):
        source = self.pick()
        return self.add(Op.RESHAPE, [source], {"shape": self.builder.shape(source)})
