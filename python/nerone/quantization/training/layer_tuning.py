"""Gradient descent on the weights of one layer, seen through their rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.graph import Node
from nerone.quantization.tf_ops import apply_node, fake_quantize_tf, import_tensorflow

__all__ = ["TunedLayer", "rounded_through", "tune_layer"]

Array = NDArray[np.float32]
_BETAS = (0.9, 0.999)
# Epochs without improvement after which a layer is left.
_PATIENCE = 2


@dataclass(frozen=True)
class TunedLayer:
    """The best weights that were seen, and the mean squared error with the first and with the best ones."""

    weights: Mapping[str, Array]
    before: float
    after: float


def rounded_through(value: Any, fix_point: float) -> Any:
    """Return ``value`` as int8 holds it; gradients pass as if it were not rounded, but not where it saturates."""
    tf = import_tensorflow()
    low, high = -128.0 * 2.0**-fix_point, 127.0 * 2.0**-fix_point
    inside = tf.clip_by_value(value, low, high)
    return inside + tf.stop_gradient(fake_quantize_tf(value, fix_point, half_up=False) - inside)


def tune_layer(
    node: Node,
    activation: Node | None,
    fix_points: Mapping[str, int],
    source: Array,
    target: Array,
    *,
    epochs: int,
    rate: float,
    batch_size: int,
    seed: int,
) -> TunedLayer:
    """Fit the int8 weights of a layer to the float output of the layer.

    Parameters
    ----------
    node : weighted Node with its present float weights
    activation : the activation that the DPU fuses with it
    fix_points : of "kernel" and "bias", which stay as they are
    source : (N, ...) input of the layer with all rounding before it
    target : (N, ...) output, after the activation, of the float layer on float input
    epochs, batch_size, seed : of the descent
    rate : float, first step size in int8 steps of each weight; it falls to zero

    Returns
    -------
    TunedLayer
    """
    tf = import_tensorflow()
    variables = {key: tf.Variable(array) for key, array in node.weights.items()}
    optimizer = _Adam(tf, variables, {key: rate * 2.0 ** -fix_points[key] for key in variables})

    def error(x: Any, y: Any) -> Any:
        weights = {key: rounded_through(variable, float(fix_points[key])) for key, variable in variables.items()}
        value = apply_node(node, [x], weights)
        if activation is not None:
            value = apply_node(activation, [value], {})
        return tf.reduce_mean(tf.math.squared_difference(value, y))

    def step(x: Any, y: Any, fraction: Any) -> None:
        with tf.GradientTape() as tape:
            loss = error(x, y)
        optimizer.apply(tape.gradient(loss, list(variables.values())), fraction)

    run_error, run_step = (tf.function(run, reduce_retracing=True, autograph=False) for run in (error, step))
    batches = _Batches(source, target, batch_size, seed)
    first = best = batches.mean(run_error)
    kept = {key: variable.numpy() for key, variable in variables.items()}
    waited = 0
    for epoch in range(epochs):
        for x, y in batches.shuffled():
            run_step(x, y, tf.constant(1.0 - epoch / epochs))
        loss = batches.mean(run_error)
        waited = 0 if loss < best else waited + 1
        if loss < best:
            best, kept = loss, {key: variable.numpy() for key, variable in variables.items()}
        if waited >= _PATIENCE:
            break
    return TunedLayer(kept, first, best)


class _Adam:
    """Adam with a step size of its own for every variable. Source: Kingma and Ba, 2015."""

    def __init__(self, tf: Any, variables: Mapping[str, Any], rates: Mapping[str, float]) -> None:
        self._tf, self._variables, self._rates = tf, variables, rates
        self._means = {key: tf.Variable(tf.zeros_like(variable)) for key, variable in variables.items()}
        self._squares = {key: tf.Variable(tf.zeros_like(variable)) for key, variable in variables.items()}
        self._count = tf.Variable(0.0)

    def apply(self, gradients: list[Any], fraction: Any) -> None:
        tf = self._tf
        self._count.assign_add(1.0)
        for (key, variable), gradient in zip(self._variables.items(), gradients, strict=True):
            mean, square = self._means[key], self._squares[key]
            mean.assign(_BETAS[0] * mean + (1.0 - _BETAS[0]) * gradient)
            square.assign(_BETAS[1] * square + (1.0 - _BETAS[1]) * tf.square(gradient))
            upright = mean / (1.0 - tf.pow(_BETAS[0], self._count))
            spread = tf.sqrt(square / (1.0 - tf.pow(_BETAS[1], self._count)))
            variable.assign_sub(fraction * self._rates[key] * upright / (spread + 1e-20))


class _Batches:
    def __init__(self, source: Array, target: Array, size: int, seed: int) -> None:
        self._source, self._target, self._size = source, target, size
        self._random = np.random.default_rng(seed)

    def shuffled(self) -> Any:
        order = self._random.permutation(len(self._source))
        for start in range(0, len(order), self._size):
            chosen = np.sort(order[start : start + self._size])
            yield self._source[chosen], self._target[chosen]

    def mean(self, error: Any) -> float:
        total = 0.0
        for start in range(0, len(self._source), self._size):
            part = slice(start, start + self._size)
            total += float(error(self._source[part], self._target[part])) * len(self._source[part])
        return total / len(self._source)
