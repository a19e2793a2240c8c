"""A network in the manner of MobileNetV2 that per-tensor int8 handles badly."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def hard_model(decades=3.0, seed=0, size=16, blocks=3):
    """Return ``blocks`` inverted residuals with ReLU6 whose channels differ ``10 ** decades`` times in range.

    The next layer undoes the scaling, so that every channel matters for the output; no equalization crosses a ReLU6.
    """
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    source = layers.Input((size, size, 4))
    value = skip = _norm(layers.Conv2D(8, 3, padding="same", use_bias=False)(source), rng)[0]
    for _ in range(blocks):
        inner, scale = _norm(layers.Conv2D(24, 1, use_bias=False)(value), rng, decades)
        inner, scale = _norm(
            _undone(layers.DepthwiseConv2D(3, padding="same", use_bias=False), inner, scale), rng, decades
        )
        inner = layers.BatchNormalization()(_undone(layers.Conv2D(8, 1, use_bias=False), inner, scale))
        value = layers.Add()([value, inner])
    end = layers.Conv2D(4, 3, padding="same", activation="softmax")(layers.Concatenate()([value, skip]))
    return keras.Model(source, end)


def _norm(value, rng, decades=0.0):
    channels = value.shape[-1]
    norm = layers.BatchNormalization()
    result = layers.ReLU(6)(norm(value))
    scale = 10 ** rng.uniform(-decades, 0, channels)
    norm.gamma.assign(rng.uniform(0.5, 1.5, channels) * scale)
    norm.beta.assign(rng.normal(0.3, 0.3, channels) * scale)
    norm.moving_mean.assign(rng.normal(0, 0.1, channels))
    return result, scale


def _undone(layer, value, scale):
    result = layer(value)
    layer.kernel.assign(layer.kernel.numpy() / scale[:, None])
    return result
