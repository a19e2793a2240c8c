"""Differences between int8 and float values: of each layer, and of the whole network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.graph import Graph, Node, Op
from nerone.quantization.executor import (
    Executor,
    QuantizedExecutor,
    compiled_for,
    device_graph,
    evaluate,
    quantized_weights,
)
from nerone.quantization.model import QuantizedModel
from nerone.quantization.tf_ops import fake_quantize_tf, import_tensorflow

__all__ = ["compare_with_float", "measure_output_snr_db", "output_error", "output_snr_db"]

_BATCH = 4
_LIMIT_DB = 120.0


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

    compiled = compiled_for(graph, run)
    totals = np.zeros((2, len(names)))
    count = len(images[0])
    for start in range(0, count, _BATCH):
        totals += compiled(*(array[start : start + _BATCH] for array in images)).numpy().astype(np.float64)
    return _figures(names, totals, {name: count * int(np.prod(graph[name].shape)) for name in names})


def _figures(names: list[str], totals: NDArray[np.float64], sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
    found = {}
    for name, signal, noise in zip(names, *totals, strict=True):
        found[name] = {"mse": float(noise / sizes[name]), "snr_db": _decibels(signal, noise)}
    return found


def _decibels(signal: float, noise: float) -> float:
    # 120 dB stands for equal values: a report is JSON, which has no infinity.
    ratio = 10 * np.log10(signal / noise) if signal > 0 and noise > 0 else _LIMIT_DB if noise == 0 else -_LIMIT_DB
    return float(np.clip(ratio, -_LIMIT_DB, _LIMIT_DB))


def _is_substitute(node: Node) -> bool:
    """Return whether a node may stand for one that it only comes near: the DPU's sigmoid, leaky slope, pool factor."""
    return node.op in (Op.HARD_SIGMOID, Op.LEAKY_RELU) or node.attrs.get("factor", 1.0) != 1.0


def output_error(ratios_db: Iterable[float]) -> float:
    """Return the mean over a network's outputs of error power over signal power, from each one's ratio in dB."""
    return float(np.mean([10 ** (-ratio / 10) for ratio in ratios_db]))


def output_snr_db(ratios_db: Iterable[float]) -> float:
    """Return a network's signal over error in dB: that of its output, or of its outputs' mean relative error."""
    return _decibels(1.0, output_error(ratios_db))


def measure_output_snr_db(
    model: QuantizedModel,
    images: list[NDArray[np.float32]],
    graph: Graph,
    *,
    errors: Mapping[str, Mapping[str, float]] | None = None,
) -> float:
    """Return signal over error of a quantized network against the trained one, in dB as of :func:`output_snr_db`.

    Parameters
    ----------
    model : QuantizedModel
    images : one (N, ...) float32 array per input
    graph : the trained network, as imported
    errors : what :func:`compare_with_float` found on the same images; it is taken where the model's graph computes in
        float what the trained network does
    """
    if errors and not any(_is_substitute(node) for node in model.graph):
        return output_snr_db(errors[name]["snr_db"] for name in model.graph.outputs)
    exact, rounded = Executor(graph)(images), QuantizedExecutor(model)(images)
    powers = [
        [float(np.sum(np.square(values, dtype=np.float64))) for values in (one, one - other)]
        for one, other in zip(exact, rounded, strict=True)
    ]
    return output_snr_db(_decibels(signal, noise) for signal, noise in powers)
