"""Values of an ONNX graph while it is imported: ONNX images are channels first, graphs are channels last."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Op

__all__ = ["FIRST", "Call", "Value", "channel_vector"]

Array = NDArray[Any]
# ONNX axes of a channels-last image, as positions in the node's tensor.
FIRST = (0, 3, 1, 2)


@dataclass(frozen=True)
class Value:
    """A tensor: ONNX's is the node's transposed by ``order``.

    Attributes
    ----------
    node : name of the node
    order : permutation of the node's axes, with the batch axis
    image : (H, W, C) where the value is a flattened image, whose ONNX order is C, H, W
    """

    node: str
    order: tuple[int, ...]
    image: tuple[int, ...] | None = None


@dataclass
class Call:
    """One ONNX node and what its importer needs.

    Attributes
    ----------
    builder : GraphBuilder
    name, kind : of the ONNX node
    attrs : attributes as Python values
    inputs : per input a Value, a constant array, or None where it is absent
    opset : int, of the model
    outputs : int, number of results
    """

    builder: GraphBuilder
    name: str
    kind: str
    attrs: Mapping[str, Any]
    inputs: Sequence[Value | Array | None]
    opset: int = 13
    outputs: int = 1

    def refuse(self, reason: str) -> ModelError:
        """Return the error that names this node."""
        return ModelError(f"ONNX node '{self.name}' ({self.kind}) cannot be imported: {reason}")

    def pair(self, key: str) -> tuple[int, int]:
        """Return (height, width) of an attribute that counts from 1."""
        given = self.attrs.get(key, (1, 1))
        if len(given) != 2 or min(given) < 1:
            raise self.refuse(f"{key} {list(given)}; two numbers of 1 or more are supported")
        return int(given[0]), int(given[1])

    def value(self, index: int = 0) -> Value:
        """Return a computed input, flattened images brought into ONNX's order."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(found, Value):
            raise self.refuse(f"its input {index} is a constant, expected a computed tensor")
        return found if found.image is None else self._ordered(found)

    def _ordered(self, flat: Value) -> Value:
        assert flat.image is not None
        height, width, channels = flat.image
        image = self.add(Op.RESHAPE, [flat.node], {"shape": flat.image}, suffix="image")
        turned = self.add(Op.PERMUTE, [image], {"axes": FIRST}, suffix="channels_first")
        size = (channels * height * width,)
        return Value(self.add(Op.RESHAPE, [turned], {"shape": size}, suffix="flat"), (0, 1))

    def image(self, index: int = 0) -> str:
        """Return the node of an input that must be an image in channels-last form."""
        found = self.value(index)
        if found.order != FIRST:
            raise self.refuse("its input is not an image (N, C, H, W)")
        return found.node

    def natural(self, index: int = 0) -> str:
        """Return a node whose axes are those of ONNX; a permutation is added where they are not."""
        found = self.value(index)
        if found.order == tuple(range(len(found.order))):
            return found.node
        return self.add(Op.PERMUTE, [found.node], {"axes": found.order}, suffix="turned")

    def constant(self, index: int) -> Array | None:
        """Return a constant input; None where it is absent."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(found, Value):
            raise self.refuse(f"its input {index} is computed, expected a constant")
        return found

    def weight(self, index: int) -> Array:
        """Return a constant input that must be there."""
        found = self.constant(index)
        if found is None:
            raise self.refuse(f"its input {index} is absent")
        return found

    def add(
        self,
        op: Op,
        sources: Sequence[str],
        attrs: Mapping[str, Any] | None = None,
        weights: Mapping[str, Array | None] | None = None,
        suffix: str = "",
    ) -> str:
        """Append a graph node named after the ONNX node."""
        name = f"{self.name}_{suffix}" if suffix else self.name
        return self.builder.add(op, sources, name=name, layer=self.name, attrs=attrs, weights=weights)

    def size(self, node: str) -> int:
        """Number of values of one image at ``node``."""
        return math.prod(self.builder.shape(node))


def channel_vector(call: Call, array: Array, value: Value) -> Array | None:
    """Return a constant as one number per channel of ``value``; None where it is not that."""
    shape = call.builder.shape(value.node)
    if array.size == 1:
        return np.full(shape[-1], float(array.reshape(())), np.float32)
    rank = len(value.order)
    if array.ndim > rank:
        return None
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    turned = full.transpose(tuple(int(axis) for axis in np.argsort(value.order)))
    if turned.shape != (1,) * (rank - 1) + (shape[-1],):
        return None
    return np.asarray(turned.reshape(-1), np.float32)
