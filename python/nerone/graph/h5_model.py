"""Keras h5 files read with h5py alone: those of old versions that Keras 3 refuses, and those of vai_q."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Graph, Op
from nerone.graph.input_shapes import InputShape, input_shapes
from nerone.graph.layer_spec import LayerSpec
from nerone.graph.layer_table import add_layer

__all__ = ["H5Model", "from_h5", "read_h5"]

Reference = tuple[str, int, int]
_MODELS = ("Functional", "Model", "Sequential")
Emit = Callable[[GraphBuilder, LayerSpec, Sequence[str]], str]


@dataclass(frozen=True)
class H5Model:
    """What an h5 file holds.

    Attributes
    ----------
    config : mapping, the model's ``get_config`` with its class name
    weights : mapping of layer name to (path of the variable, value)
    """

    config: Mapping[str, Any]
    weights: Mapping[str, Mapping[str, NDArray[Any]]]


def read_h5(path: Path) -> H5Model:
    """Read configuration and weights of a Keras h5 file.

    Raises
    ------
    ModelError
        No h5 file, or one that holds weights only.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            raw = file.attrs.get("model_config")
            if raw is None:
                raise ModelError(
                    f"'{path}' holds weights but no model; save the whole model with model.save('{path.name}')"
                )
            groups = file["model_weights"]
            weights = {layer: _variables(groups[layer]) for layer in groups if hasattr(groups[layer], "keys")}
    except OSError as error:
        raise ModelError(f"'{path}' is no readable h5 file: {error}") from error
    except KeyError as error:
        raise ModelError(f"'{path}' has no weights: {error}; save the whole model with model.save()") from error
    text = raw.decode() if isinstance(raw, bytes) else raw
    try:
        return H5Model(json.loads(text), weights)
    except ValueError as error:
        raise ModelError(f"the model configuration in '{path}' is damaged: {error}") from error


def _variables(group: Any) -> dict[str, NDArray[Any]]:
    import h5py

    found: dict[str, NDArray[Any]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name.removesuffix(":0")] = np.asarray(item[()])

    group.visititems(visit)
    return found


def from_h5(
    path: str | Path, *, input_shape: InputShape = None, emit: Emit = add_layer, model: H5Model | None = None
) -> Graph:
    """Import a Keras h5 file without TensorFlow.

    Parameters
    ----------
    path : file written by ``model.save("name.h5")`` of Keras 2 or 3
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    emit : what turns one layer into nodes; importers of wrapped layers give their own
    model : the content where it has been read before

    Raises
    ------
    ModelError
        The file or its model cannot be read; the message says what to do.
    """
    content = model or read_h5(Path(path))
    config = content.config
    if config.get("class_name") not in _MODELS:
        raise ModelError(
            f"'{path}' holds a {config.get('class_name')}; only Functional and Sequential models can be imported"
        )
    walk = _Walk(GraphBuilder(str(_body(config).get("name", Path(path).stem))), content.weights, emit)
    try:
        return walk.top(config, input_shape)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the model configuration in '{path}' has an unknown form ({error!r}); save it again with a current Keras"
        ) from error


def _body(config: Mapping[str, Any]) -> Mapping[str, Any]:
    body = config["config"]
    # Keras before 2.2.3 stored a Sequential's configuration as the bare list of its layers.
    return {"layers": body, "name": "sequential"} if isinstance(body, list) else body


class _Walk:
    def __init__(self, builder: GraphBuilder, weights: Mapping[str, Mapping[str, NDArray[Any]]], emit: Emit) -> None:
        self._builder = builder
        self._weights = weights
        self._emit = emit

    def top(self, config: Mapping[str, Any], given: InputShape) -> Graph:
        layers = _body(config)["layers"]
        if config["class_name"] == "Sequential":
            first = layers[0]
            names = [first["config"]["name"] if first["class_name"] == "InputLayer" else "input"]
            declared = [_batch_shape(first)]
        else:
            by_name = {layer["config"]["name"]: layer for layer in layers}
            names = [reference[0] for reference in _references(_body(config)["input_layers"])]
            declared = [_batch_shape(by_name[name]) for name in names]
        shapes = input_shapes(names, [shape[1:] for shape in declared], given)
        nodes = [
            self._builder.add(Op.INPUT, [], name=name, attrs={"shape": shape})
            for name, shape in zip(names, shapes, strict=True)
        ]
        return self._builder.build(nodes, self._model(config, nodes, []))

    def _model(self, config: Mapping[str, Any], inputs: Sequence[str], parents: list[str]) -> list[str]:
        if config["class_name"] == "Sequential":
            nodes = list(inputs)
            for layer in _body(config)["layers"]:
                if layer["class_name"] != "InputLayer":
                    nodes = self._layer(layer, nodes, parents)
            return nodes
        return self._functional(_body(config), inputs, parents)

    def _functional(self, body: Mapping[str, Any], inputs: Sequence[str], parents: list[str]) -> list[str]:
        known: dict[tuple[str, int], list[str]] = {}
        for reference, node in zip(_references(body["input_layers"]), inputs, strict=True):
            known[reference[0], 0] = [node]
        counts = {layer["config"]["name"]: len(layer["inbound_nodes"]) for layer in body["layers"]}
        stored = _references([layer["inbound_nodes"] for layer in body["layers"]])
        calls = [
            (layer, index, _from_zero(_references(call), stored, counts))
            for layer in body["layers"]
            if layer["class_name"] != "InputLayer"
            for index, call in enumerate(layer["inbound_nodes"])
        ]
        while calls:
            ready = [call for call in calls if all(ref[:2] in known for ref in call[2])]
            if not ready:
                raise ModelError(f"layer '{calls[0][0]['config']['name']}' reads a layer that the model does not have")
            for layer, index, references in ready:
                sources = [known[ref[:2]][ref[2]] for ref in references]
                known[layer["config"]["name"], index] = self._layer(layer, sources, parents)
            calls = [call for call in calls if (call[0]["config"]["name"], call[1]) not in known]
        ends = _references(body["output_layers"])
        return [known[ref[:2]][ref[2]] for ref in _from_zero(ends, ends, counts)]

    def _layer(self, layer: Mapping[str, Any], inputs: Sequence[str], parents: list[str]) -> list[str]:
        name = str(_body(layer).get("name", layer.get("name", "")))
        if layer["class_name"] in _MODELS:
            return self._model(layer, inputs, [*parents, name])
        spec = LayerSpec(name, str(layer["class_name"]), layer["config"], self._layer_weights(name, parents))
        return [self._emit(self._builder, spec, inputs)]

    def _layer_weights(self, name: str, parents: list[str]) -> dict[str, NDArray[Any]]:
        variables = self._weights.get(parents[0] if parents else name, {})
        if not parents:
            return {path.rsplit("/", 1)[-1]: value for path, value in variables.items()}
        # Inside a nested model the variables of all its layers share one group; the layer is the last folder but one.
        return {path.rsplit("/", 1)[-1]: value for path, value in variables.items() if path.split("/")[-2:-1] == [name]}


def _from_zero(references: list[Reference], together: list[Reference], counts: Mapping[str, int]) -> list[Reference]:
    """References whose calls count from 0.

    A nested model has a call of its own, made when it was built and not stored with its parent; some versions count
    it. Then the highest call among the references made ``together`` is beyond the number of stored calls.
    """
    excess = {name: call + 1 - (counts.get(name) or call + 1) for name, call, _ in sorted(together)}
    return [(name, call - max(excess.get(name, 0), 0), output) for name, call, output in references]


def _batch_shape(layer: Mapping[str, Any]) -> tuple[int | None, ...]:
    shape = layer["config"].get("batch_input_shape") or layer["config"].get("batch_shape")
    if shape is None and layer["class_name"] in _MODELS:
        return _batch_shape(_body(layer)["layers"][0])
    if shape is None:
        raise ModelError(
            f"layer '{layer['config'].get('name')}' does not tell the input shape; save the model after building it"
        )
    return tuple(shape)


def _references(value: Any) -> list[Reference]:
    """All (layer, call, output) references in an inbound node or in ``input_layers``, of Keras 2 or 3."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            layer, call, output = value["config"]["keras_history"]
            return [(layer, int(call), int(output))]
        return [reference for item in value.values() for reference in _references(item)]
    if isinstance(value, (list, tuple)):
        if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
            return [(value[0], value[1], int(value[2]))]
        return [reference for item in value for reference in _references(item)]
    return []
