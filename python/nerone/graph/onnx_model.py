"""ONNX models as graphs, through the ``onnx`` package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ModelError, model_errors
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Graph, Op
from nerone.graph.input_shapes import InputShape, input_shapes
from nerone.graph.onnx_file import fold, import_onnx, opset_of, read_onnx
from nerone.graph.onnx_ops import OPERATORS
from nerone.graph.onnx_qdq import DEQUANTIZE, QUANTIZE, FixPoints
from nerone.graph.onnx_values import FIRST, Call, Value

__all__ = ["from_onnx"]

Array = NDArray[Any]


def from_onnx(path: str | Path, *, input_shape: InputShape = None, fix_points: FixPoints | None = None) -> Graph:
    """Import an ONNX model.

    Images are channels last in the graph: a model that takes (N, C, H, W) is fed with (N, H, W, C), and its image
    outputs come so too.

    Parameters
    ----------
    path : .onnx file, opset 11 or newer
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    fix_points : collects those of a quantized model (QDQ), which is refused without

    Raises
    ------
    ConfigurationError
        The package ``onnx`` is missing.
    ModelError
        The file or one of its nodes cannot be imported; the message names the node and what to do.
    """
    with model_errors(Path(path)):
        model = read_onnx(Path(path))
        return _Importer(import_onnx(), model, Path(path).stem, fix_points).run(input_shape)


class _Importer:
    def __init__(self, onnx: Any, model: Any, name: str, fix_points: FixPoints | None) -> None:
        self._fix_points = fix_points
        graph = model.graph
        self._onnx, self._graph, self._opset = onnx, graph, opset_of(model)
        self._builder = GraphBuilder(graph.name or name)
        self._values: dict[str, Value | Array] = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer
        }

    def run(self, given: InputShape) -> Graph:
        inputs = self._add_inputs(given)
        for node in self._graph.node:
            self._add(node)
        outputs = []
        for output in self._graph.output:
            value = self._values.get(output.name)
            if value is None:
                raise ModelError(f"no node of the ONNX model computes its output '{output.name}'; export it again")
            if not isinstance(value, Value):
                raise ModelError(f"output '{output.name}' of the ONNX model is a constant; remove it")
            outputs.append(self._output(output.name, value))
        return self._builder.build(inputs, outputs)

    def _output(self, name: str, value: Value) -> str:
        if value.order in (FIRST, tuple(range(len(value.order)))) and value.image is None:
            return value.node
        return Call(self._builder, name, "output", {}, [value]).natural()

    def _add_inputs(self, given: InputShape) -> list[str]:
        names, declared, orders = [], [], []
        for item in self._graph.input:
            if item.name in self._values:
                continue
            sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in item.type.tensor_type.shape.dim]
            first = len(sizes) == 4 and not self._is_channels_last(item.name)
            rest = [sizes[2], sizes[3], sizes[1]] if first else sizes[1:]
            names.append(item.name)
            declared.append([size or None for size in rest])
            orders.append(FIRST if first else tuple(range(len(sizes))))
        for name, shape, order in zip(names, input_shapes(names, declared, given), orders, strict=True):
            self._values[name] = Value(self._builder.add(Op.INPUT, [], name=name, attrs={"shape": shape}), order)
        return names

    def _is_channels_last(self, name: str) -> bool:
        """Whether every reader first turns the input to channels first, as exporters from TensorFlow do."""
        readers = [node for node in self._graph.node if name in node.input]
        return bool(readers) and all(
            node.op_type == "Transpose" and self._attributes(node).get("perm") == FIRST for node in readers
        )

    def _attributes(self, node: Any) -> dict[str, Any]:
        found = {}
        for attribute in node.attribute:
            value = self._onnx.helper.get_attribute_value(attribute)
            value = value.decode() if isinstance(value, bytes) else value
            found[attribute.name] = tuple(value) if isinstance(value, list) else value
        return found

    def _add(self, node: Any) -> None:
        inputs = [self._values.get(name) if name else None for name in node.input]
        name, attrs = node.name or node.output[0], self._attributes(node)
        call = Call(self._builder, name, node.op_type, attrs, inputs, self._opset, len(node.output))
        if node.op_type in (*QUANTIZE, *DEQUANTIZE):
            self._values[node.output[0]] = self._quantized(call, node)
        elif node.op_type == "Shape" and isinstance(inputs[0], Value):
            self._values[node.output[0]] = self._shape(inputs[0])
        elif not any(isinstance(value, Value) for value in inputs):
            constants = [None if isinstance(value, Value) else value for value in inputs]
            self._values.update(zip(node.output, fold(node, constants, attrs, self._opset), strict=False))
        else:
            self._values.update(zip(node.output, self._computed(call, node), strict=False))

    def _computed(self, call: Call, node: Any) -> list[Value]:
        handler = OPERATORS.get(call.kind)
        if handler is None or node.domain not in ("", "ai.onnx"):
            raise ModelError(
                f"ONNX node '{call.name}' ({call.kind}) has no counterpart on the DPU; "
                "replace the layer before exporting"
            )
        before = set(self._builder.names()) if self._fix_points is not None else set()
        results = handler(call)
        if self._fix_points is not None:
            self._fix_points.note_weights(node, before, call)
        return results if isinstance(results, list) else [results]

    def _quantized(self, call: Call, node: Any) -> Value | Array:
        if self._fix_points is None:
            raise ModelError(
                f"ONNX node '{call.name}' ({call.kind}) belongs to a quantized model; import it with "
                "nerone.quantization.load_qdq, or give the float model"
            )
        if isinstance(call.inputs[0], Value):
            return self._fix_points.pass_on(call)
        if call.kind in DEQUANTIZE:
            return self._fix_points.constant(call, node.output[0])
        raise call.refuse("a constant that is quantized while the model runs; store it as int8")

    def _shape(self, value: Value) -> Array:
        sizes = (1, *self._builder.shape(value.node))
        return np.array([sizes[axis] for axis in value.order], np.int64)
