"""Quantized ONNX models (QDQ) of the vendor's quantizers: amd-quark with XINT8, vai_q_onnx."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nerone.dpu.arithmetic import HARD_SIGMOID_SCALE, average_pool_ratio
from nerone.errors import ConfigurationError, ModelError, model_errors
from nerone.graph import Graph, Node, Op, from_onnx
from nerone.graph.input_shapes import InputShape
from nerone.graph.onnx_qdq import FixPoints
from nerone.quantization.model import QuantizedModel
from nerone.quantization.ptq.dpu_forms import to_dpu_forms
from nerone.quantization.report import layer_rows
from nerone.quantization.topology import unquantized_nodes

__all__ = ["load_qdq"]


def load_qdq(path: str | Path, *, input_shape: InputShape = None) -> QuantizedModel:
    """Import a quantized ONNX model whose scales are powers of two.

    The DPU rounds half up where ONNX rounds half to even; all else is equal (docs/quantization.md counts).

    Parameters
    ----------
    path : ONNX file with QuantizeLinear and DequantizeLinear, as amd-quark's configuration XINT8 writes it
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open

    Raises
    ------
    ConfigurationError
        No such file.
    ModelError
        Not a quantized model, or a scale that is no power of two; the message names the node.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigurationError(f"no model file '{file}'; check the path")
    with model_errors(file):
        return _imported(file, input_shape)


def _imported(file: Path, input_shape: InputShape) -> QuantizedModel:
    stored = FixPoints()
    graph = from_onnx(file, input_shape=input_shape, fix_points=stored)
    if not stored.values:
        raise ModelError(f"'{file}' is not quantized: it has no QuantizeLinear; quantize it with nerone.quantize")
    graph = to_dpu_forms(_without_factors(graph, stored.values), sigmoid=False, swish=False)
    names = set(graph.by_name)
    fix_points = {name: fix_point for name, fix_point in stored.values.items() if name in names}
    weights = {name: found for name, found in stored.weights.items() if name in names}
    _check_weights(graph, weights)
    floats = dict.fromkeys(unquantized_nodes(graph, fix_points), "the model leaves it in float")
    report: dict[str, Any] = {"method": "qdq", "source": file.name, "output_snr_db": None}
    model = QuantizedModel(graph, fix_points, weights, floats, report)
    return QuantizedModel(graph, fix_points, weights, floats, {**report, "layers": layer_rows(model)})


def _without_factors(graph: Graph, fix_points: Mapping[str, int]) -> Graph:
    """The graph without the multiplications that stand for what the DPU computes instead of an average or sigmoid."""
    nodes, dropped = graph.by_name, {}
    for node in graph:
        source = nodes[node.inputs[0]] if node.inputs else None
        if node.op is Op.BATCH_NORM and source is not None and source.name not in fix_points:
            factor = _dpu_factor(source)
            gamma, beta = node.weights["gamma"], node.weights["beta"]
            if factor is not None and not np.any(beta) and np.allclose(gamma, factor, rtol=1e-4):
                dropped[source.name] = node
    kept = []
    for node in graph:
        if node.name in dropped:
            successor = dropped[node.name]
            kept.append(node.with_changes(name=successor.name))
        elif node not in dropped.values():
            kept.append(node)
    return Graph(graph.name, tuple(kept), graph.inputs, graph.outputs)


def _dpu_factor(node: Node) -> float | None:
    if node.op is Op.AVG_POOL:
        numerator, shift = average_pool_ratio(tuple(node.attrs["kernel"]))
        return float(numerator * node.attrs["kernel"][0] * node.attrs["kernel"][1] / 2**shift)
    return 6.0 * HARD_SIGMOID_SCALE if node.op is Op.HARD_SIGMOID else None


def _check_weights(graph: Graph, weights: Mapping[str, Mapping[str, int]]) -> None:
    for node in graph:
        missing = set(node.weights) & {"kernel", "bias"} - set(weights.get(node.name, ()))
        if missing and node.name in weights and weights[node.name]:
            raise ModelError(
                f"layer '{node.layer or node.name}': its {' and '.join(sorted(missing))} is not int8; "
                "quantize with the configuration XINT8"
            )
