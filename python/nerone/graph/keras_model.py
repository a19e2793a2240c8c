"""Keras 3 models in memory as graphs: Functional, Sequential, nested, with shared layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nerone.compat import zip
from nerone.errors import ModelError
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Graph, Op
from nerone.graph.input_shapes import InputShape, input_shapes
from nerone.graph.keras_functions import TENSOR, function_spec
from nerone.graph.layer_spec import LayerSpec, unsupported
from nerone.graph.layer_table import add_layer

__all__ = ["from_keras"]


def from_keras(model: Any, *, input_shape: InputShape = None) -> Graph:
    """Import a Keras 3 model.

    Parameters
    ----------
    model : keras.Model, Functional or Sequential, with its weights
    input_shape : (H, W, C), or a mapping of input name to shape, where the model leaves sizes open (None)

    Returns
    -------
    Graph
        Layers without a counterpart are ``UNSUPPORTED`` nodes that say why.

    Raises
    ------
    ModelError
        No static graph (subclassed model), an open size, weights that are NaN, sizes that do not fit.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs or not all(hasattr(tensor, "_keras_history") for tensor in inputs):
        raise ModelError(
            f"{type(model).__name__} has no layer graph that can be read (a subclassed or unbuilt model); "
            "rebuild it as keras.Model(inputs, outputs), or save it as .h5 or .keras and pass the file"
        )
    names = [_history(tensor)[0].name for tensor in inputs]
    shapes = input_shapes(names, [tuple(tensor.shape[1:]) for tensor in inputs], input_shape)
    builder = GraphBuilder(str(model.name))
    walk = _Walk(builder)
    nodes = [
        builder.add(Op.INPUT, [], name=name, attrs={"shape": shape}) for name, shape in zip(names, shapes, strict=True)
    ]
    outputs = walk.model(model, nodes)
    return builder.build(nodes, outputs)


class _Walk:
    """Visits the tensors of a model and its nested models; a layer called twice gives two nodes that share weights."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder
        self._weights: dict[int, Mapping[str, Any]] = {}

    def model(self, model: Any, inputs: Sequence[str]) -> list[str]:
        """Emit the nodes of ``model`` called on nodes ``inputs``; return the nodes of its outputs."""
        known = {id(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)}
        stack = list(reversed(model.outputs))
        while stack:
            tensor = stack[-1]
            if id(tensor) in known:
                stack.pop()
                continue
            operation, index = _history(tensor)
            call = operation._inbound_nodes[index]
            pending = [source for source in call.input_tensors if id(source) not in known]
            if pending:
                stack.extend(reversed(pending))
                continue
            results = self._call(operation, call, [known[id(source)] for source in call.input_tensors])
            known.update({id(output): name for output, name in zip(call.output_tensors, results, strict=True)})
        return [known[id(tensor)] for tensor in model.outputs]

    def _call(self, operation: Any, call: Any, inputs: list[str]) -> list[str]:
        if hasattr(operation, "layers") and hasattr(operation, "inputs") and operation.inputs:
            return self.model(operation, inputs)
        outputs = call.output_tensors
        spec = self._spec(operation, call)
        if len(outputs) > 1:
            node = unsupported(
                self._builder, spec, inputs, "it has several outputs; split it into layers of one output"
            )
            return [node] * len(outputs)
        if not _built_in(operation):
            reason = "a custom layer; replace it with standard Keras layers"
            return [unsupported(self._builder, spec, inputs, reason)]
        return [add_layer(self._builder, spec, inputs)]

    def _spec(self, operation: Any, call: Any) -> LayerSpec:
        shape = _static(call.output_tensors[0].shape[1:])
        if not hasattr(operation, "weights"):
            settings = {key: value for key, value in vars(operation).items() if not key.startswith("_")}
            kind = type(operation).__name__
            return function_spec(str(operation.name), kind, settings, _arguments(call), shape)
        if id(operation) not in self._weights:
            self._weights[id(operation)] = {
                variable.name: np.asarray(variable.numpy(), np.float32)
                for variable in operation.weights
                if "float" in str(variable.dtype)
            }
        config = operation.get_config() if _built_in(operation) else {}
        return LayerSpec(operation.name, type(operation).__name__, config, self._weights[id(operation)], shape)


def _arguments(call: Any) -> list[Any]:
    """Arguments of a call in which every computed tensor is the mark of one."""

    def mark(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(mark(item) for item in value)
        return TENSOR if hasattr(value, "_keras_history") else value

    return [mark(value) for value in (*call.arguments.args, *call.arguments.kwargs.values())]


def _history(tensor: Any) -> tuple[Any, int]:
    history = tensor._keras_history
    return history[0], int(history[1])


def _static(shape: Sequence[int | None]) -> tuple[int, ...] | None:
    sizes = tuple(int(size) for size in shape if size is not None)
    return sizes if sizes and len(sizes) == len(shape) else None


def _built_in(operation: Any) -> bool:
    return type(operation).__module__.split(".")[0] == "keras"
