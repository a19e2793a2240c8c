"""Shifts biases so that every layer's int8 output has the mean of its float output.

Source of the idea: Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019,
empirical variant. Layers are corrected in order within one pass, so that each sees what those before it now give.
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
from nerone.quantization.tf_ops import fake_quantize_tf, import_tensorflow

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

    def run(*feeds: Any) -> list[Any]:
        inputs = dict(zip(graph.inputs, feeds, strict=True))
        exact = evaluate(reference, inputs)
        shifts: dict[str, Any] = {}

        def hook(node: Node, value: Any) -> Any:
            if node.name in rounded:
                axes = list(range(len(value.shape) - 1))
                shifts[node.name] = tf.reduce_mean(exact[node.name] - value, axis=axes)
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
