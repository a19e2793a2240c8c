"""Runs graphs in float32 with TensorFlow, with or without the rounding of int8 between the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.arithmetic import fake_quantize
from nerone.errors import ShapeError
from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel
from nerone.quantization.tf_ops import apply_node, fake_quantize_tf, import_tensorflow

__all__ = [
    "Executor",
    "QuantizedExecutor",
    "compiled_for",
    "device_graph",
    "evaluate",
    "quantized_weights",
    "split_inputs",
]

Hook = Callable[[Node, Any], Any]
Feeds = Union[NDArray[np.float32], Sequence[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
# Images in one call of TensorFlow; bounds the memory of activations.
_BATCH = 16


def evaluate(
    graph: Graph,
    feeds: Mapping[str, Any],
    *,
    weights: Mapping[str, Mapping[str, Any]] | None = None,
    hook: Hook | None = None,
) -> dict[str, Any]:
    """Return the output tensor of every node, for use inside a ``tf.function``.

    Parameters
    ----------
    graph : Graph
    feeds : tensors (N, ...) by input name
    weights : tensors that replace the weights of some nodes
    hook : called with every node and its output; what it returns is what the readers see
    """
    values: dict[str, Any] = {}
    for node in graph:
        if node.op is Op.INPUT:
            value = feeds[node.name]
        else:
            own = _outside((weights or {}).get(node.name, node.weights))
            value = apply_node(node, [values[name] for name in node.inputs], own)
        values[node.name] = value if hook is None else hook(node, value)
    return values


def _outside(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights as tensors made outside the function that is being traced, whose graph would hold copies of arrays."""
    tf = import_tensorflow()
    with tf.init_scope():
        return {
            key: tf.convert_to_tensor(value) if isinstance(value, np.ndarray) else value
            for key, value in weights.items()
        }


def compiled_for(graph: Graph, run: Callable[..., Any]) -> Any:
    """Return ``run``, a function of one (N, ...) tensor per input of the graph, compiled once for every N."""
    tf = import_tensorflow()
    signature = [tf.TensorSpec((None, *graph[name].shape), tf.float32) for name in graph.inputs]
    # AutoGraph takes seconds to look for control flow on tensors, of which these functions have none.
    return tf.function(run, input_signature=signature, autograph=False)


class Executor:
    """A graph as a compiled TensorFlow function.

    Parameters
    ----------
    graph : Graph
    outputs : names of the nodes to return; the graph's outputs by default
    weights, hook : as in :func:`evaluate`
    """

    def __init__(
        self,
        graph: Graph,
        outputs: Sequence[str] | None = None,
        *,
        weights: Mapping[str, Mapping[str, Any]] | None = None,
        hook: Hook | None = None,
    ) -> None:
        self.graph = graph
        self.outputs = tuple(graph.outputs if outputs is None else outputs)

        def run(*feeds: Any) -> list[Any]:
            values = evaluate(graph, dict(zip(graph.inputs, feeds, strict=True)), weights=weights, hook=hook)
            return [values[name] for name in self.outputs]

        self._run = compiled_for(graph, run)

    def __call__(self, feeds: Feeds, batch_size: int = _BATCH) -> list[NDArray[np.float32]]:
        """Return one array (N, ...) per output.

        Parameters
        ----------
        feeds : (N, ...) float32 array, or one per input as sequence or mapping by input name

        Raises
        ------
        ShapeError
            The arrays do not fit the inputs.
        """
        arrays = split_inputs(self.graph, feeds)
        parts = [
            [output.numpy() for output in self._run(*(array[start : start + batch_size] for array in arrays))]
            for start in range(0, len(arrays[0]), batch_size)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


class QuantizedExecutor(Executor):
    """A quantized model in float arithmetic with weights and activations rounded to int8.

    It follows the device to within one step of the output's fix point; the software DPU is the exact one.
    """

    def __init__(self, model: QuantizedModel, outputs: Sequence[str] | None = None) -> None:
        def hook(node: Node, value: Any) -> Any:
            fix_point = model.fix_points.get(node.name)
            return value if fix_point is None else fake_quantize_tf(value, float(fix_point))

        super().__init__(device_graph(model), outputs, weights=quantized_weights(model), hook=hook)


def device_graph(model: QuantizedModel) -> Graph:
    """Return the graph with what the DPU does differently at the model's fix points.

    The ReLU6 of the DPU saturates at the integer 96, which is 6 at fix point 4 and more at lower fix points.
    """
    nodes = []
    for node in model.graph:
        fix_point = model.fix_points.get(node.name)
        if node.op is Op.RELU6 and fix_point is not None and fix_point < 4:
            node = node.with_changes(attrs={**node.attrs, "maximum": float(np.ldexp(96.0, -fix_point))})
        nodes.append(node)
    return Graph(model.graph.name, tuple(nodes), model.graph.inputs, model.graph.outputs)


def quantized_weights(model: QuantizedModel) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Return the weights as int8 holds them, in float32, for every node that has weight fix points."""
    nodes = model.graph.by_name
    return {
        name: {
            key: fake_quantize(array, fix_points[key]) if key in fix_points else array
            for key, array in nodes[name].weights.items()
        }
        for name, fix_points in model.weight_fix_points.items()
    }


def split_inputs(graph: Graph, feeds: Feeds) -> list[NDArray[np.float32]]:
    """Return one float32 array (N, ...) per input of the graph.

    Raises
    ------
    ShapeError
        Another number of arrays, another shape than the input's, or unequal N.
    """
    if isinstance(feeds, Mapping):
        missing = [name for name in graph.inputs if name not in feeds]
        if missing:
            raise ShapeError(f"no array for input '{missing[0]}'; the model's inputs are {list(graph.inputs)}")
        arrays = [feeds[name] for name in graph.inputs]
    elif isinstance(feeds, (tuple, list)):
        arrays = list(feeds)
    else:
        arrays = [np.asarray(feeds)]
    if len(arrays) != len(graph.inputs):
        raise ShapeError(f"got {len(arrays)} arrays for the {len(graph.inputs)} inputs {list(graph.inputs)}")
    for name, array in zip(graph.inputs, arrays, strict=True):
        if tuple(array.shape[1:]) != graph[name].shape:
            raise ShapeError(
                f"input '{name}' has shape {graph[name].shape} per image, got an array {tuple(array.shape)}"
            )
        if len(array) != len(arrays[0]):
            raise ShapeError(f"inputs have {len(arrays[0])} and {len(array)} images; give the same number to each")
    return [np.asarray(array, np.float32) for array in arrays]
