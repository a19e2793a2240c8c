"""Quantization-aware training: a Keras model that computes as the DPU will, trained with ``fit``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.graph import Graph, Node
from nerone.quantization.adjust import adjust
from nerone.quantization.executor import evaluate
from nerone.quantization.groups import fix_point_groups
from nerone.quantization.model import QuantizedModel
from nerone.quantization.ptq.post_training import fix_point_floors
from nerone.quantization.tf_ops import import_tensorflow
from nerone.quantization.training.thresholds import fix_point_of, threshold_of, train_through

__all__ = ["from_trainable", "to_trainable"]

# Variables are stored so that one learning rate suits all: thresholds divided by this, weights by their range.
_THRESHOLD_GAIN = 5.0


def to_trainable(model: QuantizedModel) -> Any:
    """Return a keras.Model that computes with the model's rounding and can be trained.

    Its batch norms are folded, so that the weights that are trained are those that are deployed. Every fix point is
    trainable too; points that share one (concatenations, pools) stay together.

    Parameters
    ----------
    model : QuantizedModel to start from

    Returns
    -------
    keras.Model
        Takes what the float model takes. ``compile`` it with the loss of the task and Adam with a rate of 1e-3 or less
        (1e-3 moves a weight by an eighth of an int8 step at a time), ``fit`` it, then call :func:`from_trainable`.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from nerone.quantization import quantize
    >>> net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, activation="relu")])
    >>> images = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    >>> trainable = to_trainable(quantize(net, images))
    >>> trainable.compile(keras.optimizers.Adam(1e-4), "mse")
    >>> _ = trainable.fit(images, net(images), verbose=0)
    >>> from_trainable(trainable).report["method"]
    'qat'
    """
    import_tensorflow()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ConfigurationError(
            f"training needs the TensorFlow backend of Keras, which is '{keras.backend.backend()}' here; "
            "set KERAS_BACKEND=tensorflow before keras is imported"
        )
    return _network_class(keras)(model)


def from_trainable(network: Any) -> QuantizedModel:
    """Return the deployable model with the weights and fix points that training has found.

    Parameters
    ----------
    network : what :func:`to_trainable` returned

    Raises
    ------
    ConfigurationError
        Another Keras model.
    """
    state = getattr(network, "nerone_state", None)
    if not isinstance(state, _State):
        raise ConfigurationError(f"{type(network).__name__} does not come from to_trainable; train what that returns")
    return state.quantized()


class _State:
    """The variables of a network under training, by node."""

    def __init__(self, model: QuantizedModel) -> None:
        self.model = model
        self.weights: dict[str, dict[str, Any]] = {}
        self.weight_thresholds: dict[str, dict[str, Any]] = {}
        self.thresholds: dict[str, Any] = {}

    def rounded_weights(self) -> dict[str, dict[str, Any]]:
        return {
            name: {key: self._rounded_weight(name, key, variable) for key, variable in variables.items()}
            for name, variables in self.weights.items()
        }

    def unit(self, name: str, key: str) -> Any:
        """Real value of 1 in the stored weights: the range that their first fix point had."""
        fix_point = self.model.weight_fix_points[name].get(key, 7)
        return np.float32(np.ldexp(1.0, 7 - fix_point))

    def _rounded_weight(self, name: str, key: str, variable: Any) -> Any:
        stored = self.weight_thresholds[name].get(key)
        value = variable.value * self.unit(name, key)
        return value if stored is None else train_through(value, stored.value * _THRESHOLD_GAIN, half_up=False)

    def hook(self, node: Node, value: Any) -> Any:
        stored = self.thresholds.get(node.name)
        return value if stored is None else train_through(value, stored.value * _THRESHOLD_GAIN, half_up=True)

    def quantized(self) -> QuantizedModel:
        nodes = []
        for node in self.model.graph:
            if node.name in self.weights:
                arrays = {
                    key: np.asarray(variable.value, np.float32) * self.unit(node.name, key)
                    for key, variable in self.weights[node.name].items()
                }
                node = node.with_changes(weights=arrays)
            nodes.append(node)
        old = self.model.graph
        graph = Graph(old.name, tuple(nodes), old.inputs, old.outputs)
        fix_points, weights = adjust(
            graph,
            {name: _read(stored) for name, stored in self.thresholds.items()},
            {name: {key: _read(stored) for key, stored in own.items()} for name, own in self.weight_thresholds.items()},
            fix_point_floors(graph, self.thresholds),
        )
        report = {**self.model.report, "method": "qat"}
        return replace(self.model, graph=graph, fix_points=fix_points, weight_fix_points=weights, report=report)


def _read(stored: Any) -> int:
    return fix_point_of(float(stored.value) * _THRESHOLD_GAIN)


def _network_class(keras: Any) -> Any:
    """The class of networks under training; made late, because Keras is imported late."""

    class QuantizedNetwork(keras.Model):  # type: ignore[misc]
        """Computes a graph with trained rounding."""

        def __init__(self, model: QuantizedModel) -> None:
            super().__init__(name=f"{model.graph.name}_quantized")
            self.nerone_state = state = _State(model)
            nodes = model.graph.by_name
            for name, fix_points in model.weight_fix_points.items():
                own = nodes[name].weights
                state.weights[name] = {
                    key: self._variable(f"{name}_{key}", array / state.unit(name, key)) for key, array in own.items()
                }
                state.weight_thresholds[name] = self._thresholds(name, fix_points)
            for group in fix_point_groups(model.graph, list(model.fix_points)):
                for fix_point in {model.fix_points[member] for member in group.members}:
                    together = [member for member in group.members if model.fix_points[member] == fix_point]
                    shared = self._thresholds(together[0], {"output": fix_point})["output"]
                    state.thresholds.update(dict.fromkeys(together, shared))
            self.built = True

        def _variable(self, name: str, value: Any) -> Any:
            return self.add_weight(
                shape=np.shape(value), initializer=lambda shape, dtype=None: value, name=name.replace("/", "_")
            )

        def _thresholds(self, name: str, fix_points: Mapping[str, int]) -> dict[str, Any]:
            return {
                key: self._variable(f"{name}_{key}_threshold", np.float32(threshold_of(fix_point) / _THRESHOLD_GAIN))
                for key, fix_point in fix_points.items()
            }

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            graph = self.nerone_state.model.graph
            if isinstance(inputs, Mapping):
                feeds = dict(inputs)
            else:
                given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
                feeds = dict(zip(graph.inputs, given, strict=True))
            weights = self.nerone_state.rounded_weights()
            values = evaluate(graph, feeds, weights=weights, hook=self.nerone_state.hook)
            outputs = [values[name] for name in graph.outputs]
            return outputs[0] if len(outputs) == 1 else outputs

    return QuantizedNetwork
