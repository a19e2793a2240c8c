"""Fast finetuning: every layer in order is fitted to its float output, on inputs that the layers before it really give.

Source of the idea: Hubara et al., "Improving Post Training Neural Quantization: Layer-wise Calibration and Integer
Programming", 2020 (AdaQuant). Unlike the vendor's, each layer is fed with quantized activations, so that it also
makes up for the errors of the layers before it; and activations are held only from the node that makes them to the
last that reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.arithmetic import fake_quantize
from nerone.graph import Graph, Node, Op
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.comparison import compare_with_float, output_error
from nerone.quantization.executor import device_graph
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.tf_ops import apply_node
from nerone.quantization.topology import fused_activation
from nerone.quantization.training.layer_tuning import tune_layer

__all__ = ["finetune"]

Array = NDArray[np.float32]
# Bytes of activations held at once; the number of images follows from it.
_MEMORY = 1 << 30
_CHUNK = 8


@dataclass
class _Pair:
    """A tensor on the finetuning images: of the float model, and of the quantized one."""

    exact: Array
    rounded: Array


def finetune(
    model: QuantizedModel,
    reference: Graph,
    images: CalibrationSet,
    options: QuantizeOptions,
    progress: Callable[[int, int], None] | None = None,
    *,
    start: QuantizedModel | None = None,
) -> QuantizedModel:
    """Return the model with finetuned weights; fix points are those of what it starts from.

    Parameters
    ----------
    model : QuantizedModel
    reference : the same graph with the weights of the float model
    images : CalibrationSet; as many of them are used as the memory for activations takes
    options : QuantizeOptions, with those named finetune_
    progress : called with (layers done, layers in all)
    start : another QuantizedModel of the same graph whose weights are finetuned in place of the model's

    Returns
    -------
    QuantizedModel
        The given one where finetuning did not reduce the error of the outputs. Its report has the part "finetuning".
    """
    count = min(len(images), options.finetune_images, max(1, _MEMORY // _live_bytes(model.graph)))
    run = _Run(start or model, reference, options, images.first(count))
    tuned = run.all_layers(progress)
    check = images.first(min(len(images), max(options.compare_images, 1)))
    errors = [_output_error(candidate, reference, check) for candidate in (model, tuned)]
    chosen = tuned if errors[1] < errors[0] else model
    facts = {
        "images": count,
        "output_error_before": errors[0],
        "output_error_after": errors[1],
        "kept": chosen is tuned,
        "layers": run.rows,
    }
    return replace(chosen, report={**model.report, "finetuning": facts})


def _output_error(model: QuantizedModel, reference: Graph, images: list[Array]) -> float:
    """Mean over the outputs of error power over signal power, against the float model."""
    errors = compare_with_float(model, images, reference=reference)
    return output_error(errors[name]["snr_db"] for name in model.graph.outputs)


def _live_bytes(graph: Graph) -> int:
    """Most bytes of activations of one image that are alive at a time, float and quantized."""
    last = {source: index for index, node in enumerate(graph) for source in node.inputs}
    sizes = {node.name: 8 * int(np.prod(node.shape)) for node in graph}
    live = peak = 0
    for index, node in enumerate(graph):
        live += sizes[node.name]
        peak = max(peak, live)
        live -= sum(sizes[source] for source in dict.fromkeys(node.inputs) if last[source] == index)
    return max(peak, 1)


class _Run:
    def __init__(self, model: QuantizedModel, reference: Graph, options: QuantizeOptions, images: list[Array]) -> None:
        self._model, self._reference, self._options = model, reference, options
        self._device = device_graph(model)
        self._tensors = {
            name: _Pair(image, self._rounded(name, image))
            for name, image in zip(model.graph.inputs, images, strict=True)
        }
        self.rows: list[dict[str, Any]] = []

    def all_layers(self, progress: Callable[[int, int], None] | None) -> QuantizedModel:
        """Walk through the graph; return the model with the new weights."""
        last = {source: node.name for node in self._model.graph for source in node.inputs}
        nodes: list[Node] = []
        total, done = len(self._model.weight_fix_points), 0
        for node in self._device:
            if node.op is not Op.INPUT:
                node = self._advance(node)
            for source in dict.fromkeys(node.inputs):
                if last[source] == node.name:
                    del self._tensors[source]
            nodes.append(self._model.graph[node.name].with_changes(weights=node.weights))
            if node.name in self._model.weight_fix_points:
                done += 1
                if progress is not None:
                    progress(done, total)
        graph = self._model.graph
        return replace(self._model, graph=Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs))

    def _advance(self, node: Node) -> Node:
        """Compute the node on both sides; return it with tuned weights where it has some."""
        sources = [self._tensors[name] for name in node.inputs]
        original = self._reference[node.name]
        exact = _apply(original, [pair.exact for pair in sources], original.weights)
        weights: Mapping[str, Any] = node.weights
        fix_points = self._model.weight_fix_points.get(node.name)
        if fix_points and set(fix_points) == set(node.weights):
            node = self._tuned(node, fix_points, sources[0].rounded, exact)
            weights = {key: fake_quantize(array, fix_points[key]) for key, array in node.weights.items()}
        rounded = _apply(node, [pair.rounded for pair in sources], weights)
        self._tensors[node.name] = _Pair(exact, self._rounded(node.name, rounded))
        return node

    def _tuned(self, node: Node, fix_points: Mapping[str, int], source: Array, exact: Array) -> Node:
        fused = fused_activation(self._device, node)
        target = exact if fused is None else _apply(self._reference[fused.name], [exact], {})
        result = tune_layer(
            node,
            fused,
            fix_points,
            source,
            target,
            epochs=self._options.finetune_epochs,
            rate=self._options.finetune_rate,
            batch_size=self._options.finetune_batch_size,
            seed=len(self.rows),
        )
        self.rows.append({"node": node.name, "mse_before": result.before, "mse_after": result.after})
        return node.with_changes(weights=result.weights)

    def _rounded(self, name: str, value: Array) -> Array:
        fix_point = self._model.fix_points.get(name)
        return value if fix_point is None else fake_quantize(value, fix_point, "half_up")


def _apply(node: Node, inputs: list[Array], weights: Mapping[str, Any]) -> Array:
    parts = [
        apply_node(node, [array[start : start + _CHUNK] for array in inputs], weights).numpy()
        for start in range(0, len(inputs[0]), _CHUNK)
    ]
    return np.concatenate(parts)
