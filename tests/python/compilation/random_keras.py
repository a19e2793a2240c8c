"""Random Keras networks of the supported layers: odd sizes, odd channels, every kind of merge and end."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


class RandomNetwork:
    """Draws layer after layer; ``approximate`` tells whether one of them becomes another function on the DPU."""

    def __init__(self, seed):
        keras.utils.set_random_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.approximate = False
        self.model = self._build()
        self._fill()

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def _build(self):
        image = value = keras.Input((*self.rng.integers(6, 30, 2).tolist(), int(self.rng.integers(1, 8))))
        seen = [value]
        for _ in range(self.rng.integers(3, 10)):
            step = self.pick(
                self._conv, self._conv, self._depthwise, self._up, self._pool, self._activation, self._other
            )
            value = self._merge(value, seen) if self.rng.random() < 0.2 else step(value)
            if np.prod(value.shape[1:]) > 30000:
                value = layers.MaxPooling2D(2)(layers.Conv2D(5, 1)(value))
            seen.append(value)
        return keras.Model(image, self._end(value))

    def _conv(self, x):
        kernel = self.pick(1, 2, 3, 3, 5, (1, 3), (4, 2))
        strides = self.pick(1, 1, 2, (2, 1))
        dilation = self.pick(1, 2) if strides == 1 else 1
        activation = self.pick(None, None, "relu", "relu6")
        filters = int(self.rng.integers(1, 18))
        return layers.Conv2D(filters, kernel, strides, "same", dilation_rate=dilation, activation=activation)(x)

    def _depthwise(self, x):
        if x.shape[-1] > 24:
            return layers.SeparableConv2D(7, 3, padding="same")(x)
        return layers.DepthwiseConv2D(self.pick(2, 3, 5), self.pick(1, 2), "same", depth_multiplier=self.pick(1, 1, 2))(
            x
        )

    def _up(self, x):
        if x.shape[1] * x.shape[2] > 400:
            return self._conv(x)
        if self.rng.random() < 0.5:
            return layers.UpSampling2D(self.pick(2, 3, (1, 2)), interpolation=self.pick("nearest", "bilinear"))(x)
        return layers.Conv2DTranspose(5, self.pick(2, 3, 4), self.pick(1, 2, 3, (2, 1)), self.pick("same", "valid"))(x)

    def _pool(self, x):
        if min(x.shape[1:3]) < 3:
            return x
        kind = self.pick(layers.MaxPooling2D, layers.AveragePooling2D)
        return kind(self.pick(2, 3, (2, 3)), self.pick(None, 1, 2), self.pick("same", "valid"))(x)

    def _activation(self, x):
        name = self.pick(
            "relu", "relu6", "leaky_relu", "hard_sigmoid", "hard_silu", "swish", "sigmoid", "tanh", "softmax"
        )
        self.approximate |= name in ("swish", "sigmoid")
        return layers.LeakyReLU(negative_slope=0.1)(x) if name == "leaky_relu" else layers.Activation(name)(x)

    def _other(self, x):
        pad = tuple(tuple(self.rng.integers(0, 3, 2).tolist()) for _ in (0, 1))
        norm = layers.BatchNormalization(scale=bool(self.rng.random() < 0.8), center=bool(self.rng.random() < 0.8))
        return self.pick(norm, layers.ZeroPadding2D(pad), layers.Dropout(0.2), layers.Permute((2, 1, 3)))(x)

    def _merge(self, x, seen):
        same = [value for value in seen if value.shape[1:3] == x.shape[1:3]]
        equal = [value for value in same if value.shape == x.shape]
        kind = self.pick("concat", "add", "multiply", "gate")
        if kind == "concat":
            return layers.Concatenate()([x, self.pick(*same)])
        if kind == "gate":
            mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
            return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1, activation="hard_sigmoid")(mean)])
        joined = (layers.Add() if kind == "add" else layers.Multiply())([x, self.pick(*equal)])
        return layers.ReLU()(joined) if self.rng.random() < 0.4 else joined

    def _end(self, x):
        kind = self.pick("softmax", "vector", "flat", "raw")
        if kind == "softmax":
            return layers.Softmax()(layers.Conv2D(int(self.rng.integers(2, 7)), 1)(x))
        if kind == "vector":
            return layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
        if kind == "flat" and np.prod(x.shape[1:]) <= 4000:
            return layers.Dense(5)(layers.Dense(9, activation="relu")(layers.Flatten()(x)))
        return layers.Conv2D(3, 1)(x)

    def _fill(self):
        for variable in self.model.weights:
            shape, name = variable.shape, variable.name
            if "kernel" in name:
                fan = np.prod(shape[:2] if "depthwise" in name else shape[:-1])
                variable.assign(self.rng.normal(0, 1.3 / np.sqrt(fan), shape))
            elif name in ("bias", "beta", "moving_mean"):
                variable.assign(self.rng.normal(0, 0.2, shape))
            elif name in ("gamma", "moving_variance"):
                variable.assign(self.rng.uniform(0.4, 1.6, shape))
