"""Runs quantization-aware training: on labelled images, or on what the float model says where there are no labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nerone.compat import zip
from nerone.errors import ConfigurationError, ShapeError
from nerone.graph import Graph, Op
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.executor import Executor
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.training.trainable import from_trainable, to_trainable

__all__ = ["train_aware"]

# Share of the images that only decide which epoch is kept.
_HELD_OUT = 0.15


def train_aware(
    model: QuantizedModel,
    reference: Graph,
    images: CalibrationSet,
    options: QuantizeOptions,
    *,
    labelled: Any = None,
    loss: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> QuantizedModel:
    """Return the model after quantization-aware training; the best epoch is kept, the start counts as one.

    Parameters
    ----------
    model : QuantizedModel to start from
    reference : the float graph, the teacher where there are no labels
    images : CalibrationSet, the training images where there are no labels
    options : QuantizeOptions, with those named train_
    labelled : tuple (images, labels) of arrays with equal first axes; labels are class numbers or targets like the
        output
    loss : Keras loss for labels; by default cross-entropy for class numbers and probabilities, else mean squared error
    progress : called with (epochs done, epochs in all)

    Raises
    ------
    ConfigurationError, ShapeError
        Labels that do not fit the images, or fewer than two images.
    """
    import keras

    data = _distilled(reference, images) if labelled is None else _checked(model.graph, labelled)
    count = len(data[1][0])
    if count < 2:
        raise ConfigurationError("quantization-aware training needs at least two images; give more")
    order = np.random.default_rng(0).permutation(count)
    held = max(1, int(count * _HELD_OUT))
    network = to_trainable(model)
    steps = -(-(count - held) // options.train_batch_size) * options.train_epochs
    rate = keras.optimizers.schedules.CosineDecay(options.train_rate, max(steps, 1))
    network.compile(keras.optimizers.Adam(rate), loss or _default_loss(model.graph, data[1][0], labelled is None))
    training, check = (_part(data, order[held:]), _part(data, order[:held]))
    history = _fit(network, training, check, options, progress)
    facts = {"images": count, "labelled": labelled is not None, "held_out_loss": history}
    trained = from_trainable(network)
    return replace(trained, report={**trained.report, "training": facts})


Columns = list[Any]
Data = tuple[Columns, Columns]


def _fit(
    network: Any,
    training: Data,
    check: Data,
    options: QuantizeOptions,
    progress: Callable[[int, int], None] | None,
) -> list[float]:
    """Train epoch by epoch, leave the best weights in the network, and return the held-out loss from the start on."""

    def one(columns: Columns) -> Any:
        return columns[0] if len(columns) == 1 else tuple(columns)

    def score() -> float:
        found = network.evaluate(one(check[0]), one(check[1]), batch_size=options.train_batch_size, verbose=0)
        return float(found[0] if isinstance(found, (list, tuple)) else found)

    history = [score()]
    best = network.get_weights()
    for epoch in range(options.train_epochs):
        network.fit(
            one(training[0]),
            one(training[1]),
            batch_size=options.train_batch_size,
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
        )
        history.append(score())
        if history[-1] <= min(history[:-1]):
            best = network.get_weights()
        if progress is not None:
            progress(epoch + 1, options.train_epochs)
    network.set_weights(best)
    return history


def _distilled(reference: Graph, images: CalibrationSet) -> Data:
    inputs = images.first(len(images))
    return inputs, list(Executor(reference)(inputs))


def _checked(graph: Graph, labelled: Any) -> Data:
    if not isinstance(labelled, tuple) or len(labelled) != 2:
        raise ConfigurationError("labelled data must be a tuple (images, labels) of arrays")
    inputs = [np.asarray(array, np.float32) for array in _columns(labelled[0])]
    labels = [np.asarray(array) for array in _columns(labelled[1])]
    for name, array in zip(graph.inputs, inputs, strict=False):
        if array.shape[1:] != graph[name].shape:
            raise ShapeError(f"labelled images have shape {array.shape}; input '{name}' takes {graph[name].shape}")
    if len(inputs) != len(graph.inputs) or len(labels) != len(graph.outputs):
        raise ShapeError(
            f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; give as many arrays"
        )
    if len({len(array) for array in (*inputs, *labels)}) != 1:
        raise ShapeError(f"there are {len(inputs[0])} images and {len(labels[0])} labels; give one label per image")
    return inputs, [_fitted(name, graph[name].shape, array) for name, array in zip(graph.outputs, labels, strict=True)]


def _fitted(name: str, shape: tuple[int, ...], labels: Any) -> Any:
    """Labels in the shape that Keras's losses take: like the output, or without its axis of classes."""
    if labels.shape[1:] == shape:
        return labels
    places = shape[:-1]
    if labels.shape[1:] not in (places, (*places, 1), tuple(size for size in places if size != 1)):
        raise ShapeError(f"labels have shape {labels.shape}; output '{name}' is {shape}: give class numbers or targets")
    return labels.reshape(len(labels), *(shape if shape[-1] == 1 else places))


def _columns(value: Any) -> Columns:
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _part(data: Data, chosen: Any) -> Data:
    return [array[chosen] for array in data[0]], [array[chosen] for array in data[1]]


def _default_loss(graph: Graph, labels: Any, distilled: bool) -> Any:
    import keras

    last = graph[graph.outputs[0]]
    numbers = labels.shape[1:] != last.shape
    if last.op is Op.SOFTMAX:
        if distilled:
            return "kl_divergence"
        return "sparse_categorical_crossentropy" if numbers else "categorical_crossentropy"
    if numbers and not distilled:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return "mean_squared_error" if distilled or last.op is not Op.SIGMOID else "binary_crossentropy"
