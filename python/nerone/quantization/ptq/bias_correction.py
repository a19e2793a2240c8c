"""Chooses int8 biases so that every layer's int8 output comes close to its float output.

Two rules, layer by layer in order, so that each layer sees what those before it now give:

- the channel's mean error before the activation becomes zero (Nagel et al., "Data-Free Quantization through Weight
  Equalization and Bias Correction", 2019, empirical variant);
- the squared error of the rounded values behind the activation becomes smallest. Pixels that are zero behind a ReLU say
  nothing there, and a channel that is rarely active is not moved by them.

Neither is better on every network: averages over pixels keep what the first takes out, a ReLU hides what the second
ignores. The network's outputs decide, and leave the biases alone where neither helps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.arithmetic import INT8_MAX, INT8_MIN
from nerone.dpu.ops import WEIGHTED
from nerone.graph import Graph, Node, Op
from nerone.quantization.executor import device_graph, quantized_weights
from nerone.quantization.model import QuantizedModel
from nerone.quantization.shifts import Neighbours
from nerone.quantization.tf_ops import apply_node, import_tensorflow
from nerone.quantization.topology import fused_activation

__all__ = ["correct_biases", "images_to_hold", "with_biases"]

# Pixels of one image that are looked at, about; neighbours say nearly the same.
_PIXELS = 1024
# Images of float activations at a time.
_BATCH = 4
# Steps of the bias that are tried around the best of the first candidates.
_STEPS = (0.0, -1.0, 1.0, -2.0, 2.0, -4.0, 4.0)
# Values of all nodes together, and the images at least and at most, in one pass.
_VALUES, _FEWEST, _MOST = 1 << 26, 8, 32


WeightFixPoints = Mapping[str, Mapping[str, int]]
_Weights = Mapping[str, Mapping[str, NDArray[np.float32]]]


def images_to_hold(graph: Graph) -> int:
    """Return on how many images biases are corrected: fewer where they are large, whose many pixels settle means."""
    return int(np.clip(_VALUES // sum(int(np.prod(node.shape)) for node in graph), _FEWEST, _MOST))


def with_biases(graph: Graph) -> Graph:
    """Return the graph with a bias, of zeros, in every weighted layer that has none."""
    nodes = []
    for node in graph:
        if node.op in WEIGHTED and "bias" not in node.weights:
            bias = np.zeros(node.shape[-1], np.float32)
            node = node.with_changes(weights={**node.weights, "bias": bias})
        nodes.append(node)
    return Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs)


def correct_biases(
    model: QuantizedModel, reference: Graph, images: list[NDArray[np.float32]], fit: Callable[[Graph], WeightFixPoints]
) -> QuantizedModel:
    """Return the model with corrected biases, exactly int8 at their fix points, and these.

    Parameters
    ----------
    model : QuantizedModel with fix points of activations, kernels and biases; every weighted layer has a bias
    reference : the same graph with the weights of the float model
    images : one (N, ...) float32 array per input; the values that later layers still read are held of all of them
    fit : gives the weight fix points that suit the biases of a graph
    """
    exact = _float_values(reference, images)
    rounded = quantized_weights(model)
    # A bias near zero has a range near zero: what it becomes without limits says how wide it has to be.
    _, free = _corrected(model, rounded, exact, images, _free_mean)
    wide = fit(_with_shifts(model.graph, rounded, free))
    weights = {
        name: {**own, "bias": min(own["bias"], wide[name]["bias"])} for name, own in model.weight_fix_points.items()
    }
    model = replace(model, weight_fix_points=weights)
    rounded = quantized_weights(model)
    passes = [_corrected(model, rounded, exact, images, rule) for rule in _RULES]
    _, shifts = min(passes, key=lambda found: found[0])
    return replace(model, graph=_with_shifts(model.graph, rounded, shifts))


def _with_shifts(graph: Graph, weights: _Weights, shifts: Mapping[str, NDArray[np.float32]]) -> Graph:
    """The graph with the biases of ``weights``, shifted."""
    nodes = []
    for node in graph:
        if node.name in shifts:
            bias = np.asarray(weights[node.name]["bias"] + shifts[node.name], np.float32)
            node = node.with_changes(weights={**node.weights, "bias": bias})
        nodes.append(node)
    return Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs)


def _walk(
    graph: Graph,
    images: list[NDArray[np.float32]],
    weights: Mapping[str, Mapping[str, Any]],
    visit: Callable[[Node, Any], Any],
) -> None:
    """Run the graph node by node; ``visit`` gives what the readers see of a node's output.

    Not compiled: that takes longer here than the few passes, and values are freed behind their last reader.
    """
    tf = import_tensorflow()
    left = {node.name: len(graph.consumers(node.name)) for node in graph}
    feeds = dict(zip(graph.inputs, images, strict=True))
    values: dict[str, Any] = {}
    for node in graph:
        if node.op is Op.INPUT:
            value = tf.constant(feeds[node.name])
        else:
            value = apply_node(node, [values[name] for name in node.inputs], weights.get(node.name, node.weights))
        values[node.name] = visit(node, value)
        for name in set(node.inputs):
            left[name] -= 1
            if not left[name]:
                del values[name]


def _float_values(graph: Graph, images: list[NDArray[np.float32]]) -> dict[str, Any]:
    """Thinned outputs of the weighted nodes and of the graph, (N, pixels, C) each."""
    tf = import_tensorflow()
    parts: dict[str, list[Any]] = {node.name: [] for node in graph if node.op in WEIGHTED or node.name in graph.outputs}

    def visit(node: Node, value: Any) -> Any:
        if node.name in parts:
            parts[node.name].append(_thinned(tf, value))
        return value

    for start in range(0, len(images[0]), _BATCH):
        _walk(graph, [array[start : start + _BATCH] for array in images], {}, visit)
    return {name: tf.concat(found, 0) for name, found in parts.items()}


def _corrected(
    model: QuantizedModel,
    rounded: _Weights,
    exact: Mapping[str, Any],
    images: list[NDArray[np.float32]],
    rule: _Rule | None,
) -> tuple[float, dict[str, NDArray[np.float32]]]:
    """Return the relative error of the outputs, summed, and what the rule adds to each layer's bias."""
    tf = import_tensorflow()
    graph = device_graph(model)
    points = Neighbours(graph, model.fix_points).outputs
    shifts: dict[str, NDArray[np.float32]] = {}
    errors = []

    def visit(node: Node, value: Any) -> Any:
        if rule is not None and node.name in rounded:
            behind = _behind(fused_activation(graph, node), model.fix_points.get(points[node.name] or ""))
            step = float(np.ldexp(1.0, -model.weight_fix_points[node.name]["bias"]))
            bias = rounded[node.name]["bias"]
            steps = _Steps(step, INT8_MIN * step - bias, INT8_MAX * step - bias)
            shift = rule(tf, _thinned(tf, value), exact[node.name], behind, steps)
            shifts[node.name] = shift.numpy()
            value = value + shift
        fix_point = model.fix_points.get(node.name)
        value = value if fix_point is None else _rounded(tf, value, fix_point)
        if node.name in graph.outputs:
            wanted = exact[node.name]
            power = max(float(tf.nn.l2_loss(wanted)), float(np.finfo(np.float32).tiny))
            errors.append(float(tf.nn.l2_loss(_thinned(tf, value) - wanted)) / power)
        return value

    _walk(graph, images, rounded, visit)
    return sum(errors), shifts


def _thinned(tf: Any, value: Any) -> Any:
    """(N, pixels, C) of (N, H, W, C) or (N, C), of large images every few pixels."""
    channels = value.shape[-1]
    if len(value.shape) == 4:
        step = int(np.sqrt(value.shape[1] * value.shape[2] / _PIXELS))
        # Odd steps meet every phase of an upsampled image.
        step += 1 - step % 2
        value = value[:, ::step, ::step]
    return tf.reshape(value, (tf.shape(value)[0], -1, channels))


def _rounded(tf: Any, value: Any, fix_point: int) -> Any:
    """Return the value as int8 holds it, in one op. It rounds half up; ties may differ in the last float bit."""
    step = float(np.ldexp(1.0, -fix_point))
    return tf.quantization.fake_quant_with_min_max_args(value, -128.0 * step, 127.0 * step)


_Behind = Callable[[Any, bool], Any]


def _behind(activation: Node | None, fix_point: int | None) -> _Behind:
    """What a layer's values become, without and with rounding."""

    def apply(value: Any, rounding: bool) -> Any:
        if activation is not None:
            value = apply_node(activation, [value], activation.weights)
        return value if fix_point is None or not rounding else _rounded(import_tensorflow(), value, fix_point)

    return apply


@dataclass(frozen=True)
class _Steps:
    """The shifts that an int8 bias has: multiples of ``step`` within limits per channel."""

    step: float
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def nearest(self, tf: Any, shift: Any) -> Any:
        return tf.clip_by_value(tf.floor(shift / self.step + 0.5) * self.step, self.low, self.high)


def _free_mean(tf: Any, value: Any, exact: Any, behind: _Behind, steps: _Steps) -> Any:
    """As :func:`_zero_mean`, without steps and limits."""
    return tf.reduce_mean(exact - value, axis=(0, 1))


def _zero_mean(tf: Any, value: Any, exact: Any, behind: _Behind, steps: _Steps) -> Any:
    """(C,) float32 to add to (N, pixels, C) ``value`` so that its mean is that of ``exact``."""
    return steps.nearest(tf, _free_mean(tf, value, exact, behind, steps))


def _least_error_behind(tf: Any, value: Any, exact: Any, behind: _Behind, steps: _Steps) -> Any:
    """(C,) float32 to add to (N, pixels, C) ``value`` so that what is behind it is closest to float."""
    wanted = behind(exact, False)
    difference = wanted - behind(value, False)
    differing = tf.reduce_sum(tf.cast(difference != 0.0, tf.float32), axis=(0, 1))
    of_differing = tf.reduce_sum(difference, axis=(0, 1)) / tf.maximum(differing, 1.0)

    def best(tried: list[Any]) -> Any:
        """Of several (C,) the one with the smallest error of each channel; the first wins."""
        errors = [tf.reduce_sum(tf.square(behind(value + shift, True) - wanted), axis=(0, 1)) for shift in tried]
        return tf.gather(tf.transpose(tf.stack(tried)), tf.argmin(tf.stack(errors)), batch_dims=1)

    mean = _zero_mean(tf, value, exact, behind, steps)
    near = best([tf.zeros_like(mean), mean, steps.nearest(tf, of_differing)])
    return best([steps.nearest(tf, near + number * steps.step) for number in _STEPS])


_Rule = Callable[[Any, Any, Any, _Behind, _Steps], Any]
_RULES: tuple[_Rule | None, ...] = (None, _zero_mean, _least_error_behind)
