"""Groups nodes of a quantized model that become one op."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerone.compat import zip
from nerone.dpu.limits import padding_fits
from nerone.dpu.ops import FUSED_ACTIVATIONS, WEIGHTED
from nerone.errors import ModelError
from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel

__all__ = ["Unit", "find_units"]


@dataclass(frozen=True)
class Unit:
    """A node, the activation that runs inside its op, and the zero padding that its op does itself.

    Attributes
    ----------
    node : Node
    activation : Node or None
    padding : Node or None, a PAD node between the unit's input and ``node``
    """

    node: Node
    activation: Node | None = None
    padding: Node | None = None

    @property
    def output(self) -> Node:
        """The node whose value this unit computes."""
        return self.activation or self.node

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the nodes that this unit reads."""
        return self.padding.inputs if self.padding else self.node.inputs

    @property
    def pad(self) -> tuple[int, int, int, int]:
        """Zeros round the input: (top, bottom, left, right)."""
        pads = [tuple(node.attrs.get("pad", (0, 0, 0, 0))) for node in (self.node, self.padding) if node]
        top, bottom, left, right = (int(sum(values)) for values in zip(*pads, strict=True))
        return top, bottom, left, right


def find_units(quantized: QuantizedModel) -> list[Unit]:
    """Split a quantized model into units, in topological order.

    Raises
    ------
    ModelError
        where a node cannot be lowered at all, naming the layer, the reason and the remedy.
    """
    graph = quantized.graph
    readers = graph.readers()
    taken: set[str] = set()
    units: list[Unit] = []
    for node in graph:
        _check(node, quantized)
        activation = _fused_activation(node, quantized, readers)
        padding = _absorbed_padding(node, quantized, readers)
        taken |= {extra.name for extra in (activation, padding) if extra}
        units.append(Unit(node, activation, padding))
    return [unit for unit in units if unit.node.name not in taken]


def _sole_reader(node: Node, graph: Graph, readers: dict[str, list[Node]]) -> Node | None:
    if node.name in graph.outputs or len(readers[node.name]) != 1:
        return None
    return readers[node.name][0]


def _fused_activation(node: Node, quantized: QuantizedModel, readers: dict[str, list[Node]]) -> Node | None:
    """Return the activation after a node that has no fix point of its own."""
    if node.name in quantized.fix_points or node.name in quantized.float_nodes:
        return None
    reader = _sole_reader(node, quantized.graph, readers)
    if reader is None or reader.name not in quantized.fix_points or reader.name in quantized.float_nodes:
        return None
    return reader if reader.op in FUSED_ACTIVATIONS.get(node.op, ()) else None


def _absorbed_padding(node: Node, quantized: QuantizedModel, readers: dict[str, list[Node]]) -> Node | None:
    """Return the zero padding before a convolution whose own pads can hold it."""
    if node.op not in (Op.CONV2D, Op.DEPTHWISE_CONV2D) or node.name in quantized.float_nodes:
        return None
    padding = quantized.graph[node.inputs[0]]
    if padding.op is not Op.PAD or padding.attrs.get("mode", "constant") != "constant":
        return None
    if padding.name in quantized.float_nodes or _sole_reader(padding, quantized.graph, readers) is not node:
        return None
    source = padding.inputs[0]
    own, inherited = quantized.fix_points.get(padding.name), quantized.fix_points.get(source)
    if own is not None and own != inherited:
        return None
    kernel, dilation = node.weights["kernel"].shape[:2], node.attrs.get("dilation", (1, 1))
    return padding if padding_fits(Unit(node, None, padding).pad, kernel, dilation) else None


def _check(node: Node, quantized: QuantizedModel) -> None:
    layer = node.layer or node.name
    if node.op is Op.UNSUPPORTED:
        kind, reason = node.attrs.get("layer_class", "unknown"), node.attrs.get("reason", "NERONE does not know it")
        raise ModelError(
            f"layer '{layer}' ({kind}) cannot be lowered: {reason}. "
            "Replace it by supported layers, or take it off the model and do it after the network"
        )
    for key, values in node.weights.items():
        if not np.all(np.isfinite(values)):
            raise ModelError(
                f"the {key} of layer '{layer}' holds NaN or infinite values: the training diverged. "
                "Use an earlier checkpoint"
            )
    if node.op in WEIGHTED and node.name not in quantized.float_nodes:
        fix_points = quantized.weight_fix_points.get(node.name, {})
        missing = [key for key in node.weights if key not in fix_points]
        if missing:
            raise ModelError(f"layer '{layer}' has no fix point for its {missing[0]}; quantize the model again")
