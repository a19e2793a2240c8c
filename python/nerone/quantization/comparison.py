"""Differences between each layer's int8 and float values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.graph import Graph, Node
from nerone.quantization.executor import device_graph, evaluate, quantized_weights
from nerone.quantization.model import QuantizedModel
from nerone.quantization.tf_ops import fake_quantize_tf, import_tensorflow

__all__ = ["compare_with_float"]

_BATCH = 4


def compare_with_float(
    model: QuantizedModel, images: list[NDArray[np.float32]], *, reference: Graph | None = None
) -> dict[str, dict[str, float]]:
    """Return the error of every quantization point and output against float.

    Parameters
    ----------
    model : QuantizedModel
    images : one (N, ...) float32 array per input
    reference : the float graph with the same node names; the model's own graph by default

    Returns
    -------
    mapping of node name to {"mse": mean squared error, "snr_db": 10 log10 of signal power over error power}
    """
    tf = import_tensorflow()
    graph, device, weights = model.graph, device_graph(model), quantized_weights(model)
    names = [node.name for node in graph if node.name in model.fix_points or node.name in graph.outputs]

    def hook(node: Node, value: Any) -> Any:
        fix_point = model.fix_points.get(node.name)
        return value if fix_point is None else fake_quantize_tf(value, float(fix_point))

    def run(*feeds: Any) -> Any:
        inputs = dict(zip(graph.inputs, feeds, strict=True))
        exact = evaluate(graph if reference is None else reference, inputs)
        rounded = evaluate(device, inputs, weights=weights, hook=hook)
        signal = [tf.reduce_sum(tf.square(exact[name])) for name in names]
        noise = [tf.reduce_sum(tf.math.squared_difference(exact[name], rounded[name])) for name in names]
        return tf.stack([signal, noise])

    compiled = tf.function(run, input_signature=[tf.TensorSpec((None, *graph[name].shape)) for name in graph.inputs])
    totals = np.zeros((2, len(names)))
    count = len(images[0])
    for start in range(0, count, _BATCH):
        totals += compiled(*(array[start : start + _BATCH] for array in images)).numpy().astype(np.float64)
    return _figures(names, totals, {name: count * int(np.prod(graph[name].shape)) for name in names})


def _figures(names: list[str], totals: NDArray[np.float64], sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
    found = {}
    for name, signal, noise in zip(names, *totals, strict=True):
        # 120 dB stands for equal values: a report is JSON, which has no infinity.
        ratio = 10 * np.log10(signal / noise) if signal > 0 and noise > 0 else 120.0 if noise == 0 else -120.0
        found[name] = {"mse": float(noise / sizes[name]), "snr_db": float(np.clip(ratio, -120.0, 120.0))}
    return found
