"""Models as Keras describes them in its files, turned into graphs. Nothing of Keras is imported or run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ModelError
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Graph, Op
from nerone.graph.input_shapes import InputShape, input_shapes
from nerone.graph.keras_functions import TENSOR, function_spec
from nerone.graph.layer_spec import LayerSpec
from nerone.graph.layer_table import add_layer
from nerone.graph.layers_weighted import WEIGHTED_LAYERS
from nerone.graph.stored_calls import Reference, StoredCall, references, stored_call
from nerone.graph.tensorflow_functions import TENSORFLOW_LAYERS, tensorflow_spec

__all__ = ["MODELS", "Emit", "StoredModel", "body", "graph_of", "is_function", "refuse_code"]

MODELS = ("Functional", "Model", "Sequential")
Emit = Callable[[GraphBuilder, LayerSpec, Sequence[str]], str]
Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class StoredModel:
    """Content of a model file.

    Attributes
    ----------
    config : mapping, the model's ``get_config`` with its class name
    weights : the variables of a layer by their last names, from the names of the models around it, the outermost
        first, and its own
    generation : int, 2 or 3: the Keras that wrote the file; some names mean something else
    shown : name of the file in messages
    """

    config: Mapping[str, Any]
    weights: Callable[[tuple[str, ...]], Weights]
    generation: int
    shown: str


def body(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration proper of a model or layer."""
    inner = config["config"]
    # Keras before 2.2.3 stored a Sequential's configuration as the bare list of its layers.
    return {"layers": inner, "name": "sequential"} if isinstance(inner, list) else inner


def is_function(layer: Mapping[str, Any], generation: int) -> bool:
    """Whether an entry among the layers is a call of ``keras.ops``. h5 files do not say; layers have more settings."""
    module, kind = str(layer.get("module") or ""), layer["class_name"]
    if module or generation == 2:
        return ".ops" in module
    settings = layer["config"]
    plain = isinstance(settings, Mapping) and not {"trainable", "dtype", "layers"} & set(settings)
    return plain and kind not in (*MODELS, *WEIGHTED_LAYERS, "InputLayer")


def refuse_code(config: Any, shown: str) -> None:
    """Raise where a model has layers whose meaning is Python code: Lambda, and classes that are not Keras's.

    Raises
    ------
    ModelError
        It names the layers.
    """
    odd = [f"'{name}' ({kind})" for name, kind in _custom_layers(config)]
    if odd:
        raise ModelError(
            f"'{shown}' has custom layers that cannot be loaded: {', '.join(dict.fromkeys(odd))}; "
            "replace them with standard Keras layers, or do what they do in the preprocessing"
        )


def _custom_layers(config: Any) -> Iterator[tuple[str, str]]:
    if isinstance(config, Mapping):
        inner = config.get("config")
        if "class_name" in config and isinstance(inner, Mapping) and "name" in inner:
            module = str(config.get("module") or "keras").split(".")[0]
            if config["class_name"] == "Lambda" or module not in ("keras", "tf_keras"):
                yield str(inner["name"]), str(config["class_name"])
        for value in config.values():
            yield from _custom_layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from _custom_layers(value)


def graph_of(model: StoredModel, *, input_shape: InputShape = None, emit: Emit = add_layer) -> Graph:
    """Return the graph of a stored model.

    Parameters
    ----------
    model : StoredModel
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    emit : what turns one layer into nodes; importers of wrapped layers give their own

    Raises
    ------
    ModelError
        The model cannot be imported; the message names the layer and what to do.
    """
    kind = model.config.get("class_name") if isinstance(model.config, Mapping) else type(model.config).__name__
    if kind not in MODELS:
        raise ModelError(f"'{model.shown}' holds a {kind}; only Functional and Sequential models can be imported")
    try:
        refuse_code(model.config, model.shown)
        return _Walk(model, emit).top(model.config, input_shape)
    except ModelError:
        raise
    except RecursionError as error:
        raise ModelError(f"the models in '{model.shown}' are nested too deeply; flatten them") from error
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, AssertionError) as error:
        raise ModelError(
            f"the model configuration in '{model.shown}' has an unknown form ({error!r}); "
            "save it again with a current Keras"
        ) from error


class _Walk:
    def __init__(self, model: StoredModel, emit: Emit) -> None:
        self._builder = GraphBuilder(str(body(model.config).get("name", model.shown)))
        self._model_file, self._emit = model, emit

    def top(self, config: Mapping[str, Any], given: InputShape) -> Graph:
        layers = body(config)["layers"]
        if not layers:
            raise ModelError(f"the model in '{self._model_file.shown}' has no layers; build it and save it again")
        if config["class_name"] == "Sequential":
            first = layers[0]
            names = [first["config"]["name"] if first["class_name"] == "InputLayer" else "input"]
            declared = [_batch_shape(first)]
        else:
            by_name = {layer["config"]["name"]: layer for layer in layers}
            names = [reference.layer for reference in references(body(config)["input_layers"])]
            declared = [_batch_shape(by_name[name]) for name in names]
        shapes = input_shapes(names, [shape[1:] for shape in declared], given)
        nodes = [
            self._builder.add(Op.INPUT, [], name=name, attrs={"shape": shape})
            for name, shape in zip(names, shapes, strict=True)
        ]
        return self._builder.build(nodes, self._model(config, nodes, ()))

    def _model(self, config: Mapping[str, Any], inputs: Sequence[str], parents: tuple[str, ...]) -> list[str]:
        if config["class_name"] == "Sequential":
            nodes = list(inputs)
            for layer in body(config)["layers"]:
                if layer["class_name"] != "InputLayer":
                    nodes = self._layer(layer, StoredCall((Reference("", 0, 0),), {}), nodes, parents, None)
            return nodes
        return self._functional(body(config), inputs, parents)

    def _functional(self, content: Mapping[str, Any], inputs: Sequence[str], parents: tuple[str, ...]) -> list[str]:
        known: dict[tuple[str, int], list[str]] = {}
        for reference, node in zip(references(content["input_layers"]), inputs, strict=True):
            known[reference.layer, 0] = [node]
        counts = {layer["config"]["name"]: len(layer["inbound_nodes"]) for layer in content["layers"]}
        calls = [
            (layer, index, stored_call(call))
            for layer in content["layers"]
            if layer["class_name"] != "InputLayer"
            for index, call in enumerate(layer["inbound_nodes"])
        ]
        stored = [reference for _, _, call in calls for reference in call.tensors]
        shapes = {(ref.layer, ref.call): ref.shape for ref in stored if ref.output == 0}
        waiting = [(*call, _from_zero(call[2].tensors, stored, counts)) for call in calls]
        while waiting:
            ready = [item for item in waiting if all((ref.layer, ref.call) in known for ref in item[3])]
            if not ready:
                name = waiting[0][0]["config"]["name"]
                raise ModelError(f"layer '{name}' reads a layer that the model does not have")
            for layer, index, call, sources in ready:
                name = layer["config"]["name"]
                nodes = [known[ref.layer, ref.call][ref.output] for ref in sources]
                known[name, index] = self._layer(layer, call, nodes, parents, shapes.get((name, index)))
            waiting = [item for item in waiting if (item[0]["config"]["name"], item[1]) not in known]
        ends = references(content["output_layers"])
        return [known[ref.layer, ref.call][ref.output] for ref in _from_zero(ends, ends, counts)]

    def _layer(
        self,
        layer: Mapping[str, Any],
        call: StoredCall,
        inputs: Sequence[str],
        parents: tuple[str, ...],
        shape: tuple[int, ...] | None,
    ) -> list[str]:
        name = str(body(layer).get("name", layer.get("name", "")))
        kind = str(layer["class_name"])
        if kind in MODELS:
            return self._model(layer, inputs, (*parents, name))
        if kind in TENSORFLOW_LAYERS:
            spec = tensorflow_spec(name, layer["config"], _marked(call), call.kwargs)
        elif is_function(layer, self._model_file.generation):
            settings = {key: value for key, value in layer["config"].items() if key != "name"}
            spec = function_spec(name, kind, settings, _marked(call), shape)
        else:
            weights = self._model_file.weights((*parents, name))
            spec = LayerSpec(name, kind, layer["config"], weights, shape, self._model_file.generation)
        return [self._emit(self._builder, spec, inputs)]


def _marked(call: StoredCall) -> list[Any]:
    """Arguments of a call in which every computed tensor is the mark of one."""

    def mark(value: Any) -> Any:
        if isinstance(value, list):
            return [mark(item) for item in value]
        return TENSOR if isinstance(value, Reference) else value

    return [mark(value) for value in call.arguments]


def _from_zero(found: list[Reference], together: list[Reference], counts: Mapping[str, int]) -> list[Reference]:
    """References whose calls count from 0.

    A nested model has a call of its own, made when it was built and not stored with its parent; some versions count
    it. Then the highest call among the references made ``together`` is beyond the number of stored calls.
    """
    highest: dict[str, int] = {}
    for ref in together:
        highest[ref.layer] = max(highest.get(ref.layer, 0), ref.call)
    excess = {name: max(call + 1 - (counts.get(name) or call + 1), 0) for name, call in highest.items()}
    return [Reference(ref.layer, ref.call - excess.get(ref.layer, 0), ref.output, ref.shape) for ref in found]


def _batch_shape(layer: Mapping[str, Any]) -> tuple[int | None, ...]:
    shape = layer["config"].get("batch_input_shape") or layer["config"].get("batch_shape")
    if shape is None and layer["class_name"] in MODELS:
        inner = body(layer)["layers"]
        if not inner:
            raise ModelError(f"the model '{body(layer).get('name')}' inside has no layers; build it and save it again")
        return _batch_shape(inner[0])
    if shape is None:
        raise ModelError(
            f"layer '{layer['config'].get('name')}' does not tell the input shape; save the model after building it"
        )
    return tuple(shape)
