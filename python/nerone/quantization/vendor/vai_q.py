"""Models quantized by vai_q_tensorflow2 (``q_model.h5``), read with h5py alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nerone.dpu.ops import KEEPS_FIX_POINT, WEIGHTED
from nerone.errors import ConfigurationError, ModelError, model_errors
from nerone.graph import GraphBuilder, Op
from nerone.graph.h5_model import H5Model, from_h5, read_h5
from nerone.graph.input_shapes import InputShape
from nerone.graph.layer_spec import LayerSpec
from nerone.graph.layer_table import add_layer
from nerone.quantization.model import QuantizedModel
from nerone.quantization.ptq.dpu_forms import to_dpu_forms
from nerone.quantization.report import layer_rows
from nerone.quantization.topology import unquantized_nodes

__all__ = ["load_vai_q"]


def load_vai_q(path: str | Path, *, input_shape: InputShape = None, model: H5Model | None = None) -> QuantizedModel:
    """Import a model quantized by the vendor's TensorFlow quantizer.

    Parameters
    ----------
    path : Keras h5 with the layers ``Vitis>VitisQuantize`` and ``Vitis>QuantizeWrapper``
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    model : the content where it has been read before

    Raises
    ------
    ConfigurationError
        No such file.
    ModelError
        Not a quantized model, or one that cannot be read; the message says what to do.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigurationError(f"no model file '{file}'; check the path")
    with model_errors(file):
        return _imported(file, input_shape, model or read_h5(file))


def _imported(file: Path, input_shape: InputShape, content: H5Model) -> QuantizedModel:
    reader = _Reader()
    graph = from_h5(file, input_shape=input_shape, emit=reader.emit, model=content)
    if not reader.fix_points:
        raise ModelError(f"'{file}' is not quantized: it has no fix points; quantize it with nerone.quantize")
    graph = to_dpu_forms(graph, sigmoid=False, swish=False)
    floats = dict.fromkeys(unquantized_nodes(graph, reader.fix_points), "vai_q left it in float")
    report: dict[str, Any] = {"method": "vai_q", "source": file.name, "output_snr_db": None}
    quantized = QuantizedModel(graph, reader.fix_points, reader.weight_fix_points, floats, report)
    return QuantizedModel(
        graph, reader.fix_points, reader.weight_fix_points, floats, {**report, "layers": layer_rows(quantized)}
    )


class _Reader:
    """Unwraps the vendor's layers and collects the fix points stored beside their weights."""

    def __init__(self) -> None:
        self.fix_points: dict[str, int] = {}
        self.weight_fix_points: dict[str, dict[str, int]] = {}

    def emit(self, builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        kind = spec.class_name.removeprefix("Vitis>")
        if kind == "VitisQuantize":
            found = [value for key, value in spec.weights.items() if key.endswith("_pos")]
            if len(found) != 1:
                raise ModelError(
                    f"layer '{spec.name}' has {len(found)} stored fix points, expected 1; calibrate the model"
                )
            self.fix_points[inputs[0]] = _integer(found[0])
            return inputs[0]
        if kind in ("QuantizeWrapper", "CustomOpWrapper"):
            layer = spec.config["layer"]
            name, config = str(layer["config"]["name"]), layer["config"]
            inner = replace(spec, name=name, class_name=str(layer["class_name"]), config=config)
            if kind == "CustomOpWrapper":
                return self.emit(builder, inner, inputs)
            return self._wrapped(builder, inner, inputs)
        return add_layer(builder, replace(spec, class_name=kind), inputs)

    def _wrapped(self, builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        plain = replace(spec, class_name=spec.class_name.removeprefix("Vitis>"))
        output = add_layer(builder, plain, inputs)
        chain = _chain(builder, output, inputs)
        weighted = [name for name in chain if builder.op(name) in WEIGHTED]
        for name in weighted:
            kernel = _fix_point(spec.weights, "kernel_pos", "depthwise_kernel_pos")
            bias = _fix_point(spec.weights, "bias_pos")
            found = {"kernel": kernel, "bias": bias}
            self.weight_fix_points[name] = {key: value for key, value in found.items() if value is not None}
        visible = [name for name in chain if builder.op(name) not in KEEPS_FIX_POINT]
        before = _fix_point(spec.weights, "pre_activation_pos")
        after = _fix_point(spec.weights, "post_activation_pos", "output_0_pos")
        if not visible:
            return output
        if before is not None and builder.op(visible[-1]) in (Op.SOFTMAX, Op.HARD_SIGMOID):
            # What is stored with them is how the layer before leaves its output: a softmax itself is float.
            source = visible[-2] if len(visible) > 1 else _seen_through(builder, inputs[0])
            if builder.op(visible[-1]) is Op.SOFTMAX or len(visible) > 1:
                self.fix_points[source] = before
        fix_point = before if after is None and builder.op(visible[-1]) is not Op.SOFTMAX else after
        if fix_point is not None:
            self.fix_points[visible[-1]] = fix_point
        return output


def _chain(builder: GraphBuilder, output: str, inputs: Sequence[str]) -> list[str]:
    """Nodes that one layer made, in order."""
    names: list[str] = []
    while output not in inputs:
        names.insert(0, output)
        output = builder.sources(output)[0]
    return names


def _seen_through(builder: GraphBuilder, name: str) -> str:
    """The node whose fix point ``name`` keeps."""
    while builder.op(name) in KEEPS_FIX_POINT:
        name = builder.sources(name)[0]
    return name


def _fix_point(weights: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        if key in weights:
            return _integer(weights[key])
    return None


def _integer(value: Any) -> int:
    number = float(np.asarray(value).reshape(-1)[0])
    if not np.isfinite(number) or abs(number) > 1000:
        raise ModelError(f"a stored fix point is {number}; the file is damaged or was never calibrated")
    return round(number)
