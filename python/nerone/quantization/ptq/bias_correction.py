"""Shifts biases so that every layer's int8 output comes closer to its float output.

Source of the idea: Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019,
empirical variant: the mean error of a channel is taken out of it. Where an activation such as ReLU is computed with the
layer, most pixels may be zero behind it, and their errors say nothing: there the mean over the pixels in which the
activation's outputs differ is tried too, and each channel keeps the shift that leaves the smallest squared error behind
the activation. Layers are corrected in order within one pass, so that each sees what those before it now give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.ops import WEIGHTED
from nerone.graph import Graph, Node
from nerone.quantization.executor import compiled_for, evaluate, quantized_weights
from nerone.quantization.model import QuantizedModel
from nerone.quantization.tf_ops import apply_node, fake_quantize_tf, import_tensorflow
from nerone.quantization.topology import fused_activation

__all__ = ["correct_biases"]


def correct_biases(model: QuantizedModel, reference: Graph, images: list[NDArray[np.float32]]) -> Graph:
    """Return the model's graph with corrected biases, in float as before.

    Parameters
    ----------
    model : QuantizedModel with fix points of activations and kernels
    reference : the same graph with the weights of the float model
    images : one (N, ...) float32 array per input; all are held at once
    """
    tf = import_tensorflow()
    graph, rounded = model.graph, quantized_weights(model)
    names = [node.name for node in graph if node.op in WEIGHTED]
    nodes = graph.by_name
    activations = {name: fused_activation(graph, nodes[name]) for name in names}

    def run(*feeds: Any) -> list[Any]:
        inputs = dict(zip(graph.inputs, feeds, strict=True))
        exact = evaluate(reference, inputs)
        shifts: dict[str, Any] = {}

        def hook(node: Node, value: Any) -> Any:
            if node.name in rounded:
                shifts[node.name] = _best_shift(tf, value, exact[node.name], activations[node.name])
                value = value + shifts[node.name]
            fix_point = model.fix_points.get(node.name)
            return value if fix_point is None else fake_quantize_tf(value, float(fix_point))

        evaluate(graph, inputs, weights=rounded, hook=hook)
        return [shifts[name] for name in names]

    shifts = dict(zip(names, compiled_for(graph, run)(*images), strict=True))
    changed = []
    for node in graph:
        if node.name in shifts:
            bias = nodes[node.name].weights.get("bias", np.float32(0.0)) + shifts[node.name].numpy()
            node = node.with_changes(weights={**node.weights, "bias": bias.astype(np.float32)})
        changed.append(node)
    return Graph(graph.name, tuple(changed), graph.inputs, graph.outputs)


def _best_shift(tf: Any, value: Any, exact: Any, activation: Node | None) -> Any:
    """Return (C,) float32, what to add to (N, ..., C) ``value`` for it to be like ``exact``."""
    axes = list(range(len(value.shape) - 1))
    mean = tf.reduce_mean(exact - value, axis=axes)
    if activation is None:
        return mean

    def behind(tensor: Any) -> Any:
        return apply_node(activation, [tensor], activation.weights)

    wanted = behind(exact)
    difference = wanted - behind(value)
    differing = tf.reduce_sum(tf.cast(difference != 0.0, tf.float32), axis=axes)
    of_differing = tf.reduce_sum(difference, axis=axes) / tf.maximum(differing, 1.0)
    # What is added may raise pixels above zero that did not differ before: less of it may be better.
    shifts = tf.stack([mean, of_differing, of_differing / 2.0, tf.zeros_like(mean)])
    errors = tf.stack(
        [tf.reduce_sum(tf.square(wanted - behind(value + shift)), axis=axes) for shift in tf.unstack(shifts)]
    )
    return tf.gather(tf.transpose(shifts), tf.argmin(errors), batch_dims=1)
