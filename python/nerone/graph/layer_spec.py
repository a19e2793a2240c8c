"""A layer as any Keras source describes it, before it becomes nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Op

__all__ = ["Handler", "LayerSpec", "pair", "require_channels_last", "unsupported"]


@dataclass(frozen=True)
class LayerSpec:
    """One call of a layer.

    Attributes
    ----------
    name : str, the user's name of the layer
    class_name : str, Keras class ("Conv2D"); keras.ops functions have their operation's class ("Add")
    config : mapping, the layer's ``get_config()``
    weights : mapping of the variable's last name ("kernel", "moving_mean") to its value
    output_shape : tuple of int or None, without the batch axis, where the source knows it
    generation : int, 2 or 3: the Keras whose meaning the names have
    """

    name: str
    class_name: str
    config: Mapping[str, Any]
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    output_shape: tuple[int, ...] | None = None
    generation: int = 3

    def weight(self, *names: str) -> NDArray[np.float32] | None:
        """Return the first of the named weights that the layer has."""
        for name in names:
            if name in self.weights:
                return self.weights[name]
        return None

    def kernel(self, *names: str) -> NDArray[np.float32]:
        """Return the first of the named weights, which the layer must have."""
        array = self.weight(*names)
        if array is None:
            raise ModelError(
                f"layer '{self.name}' ({self.class_name}) has no weight '{names[0]}'; "
                "build or load the model with its weights"
            )
        return array


Handler = Callable[[GraphBuilder, LayerSpec, Sequence[str]], str]


def unsupported(
    builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str], reason: str, *, layer: str | None = None
) -> str:
    """Add a node that only names the user's layer, the spec's by default, and why it cannot be used."""
    shape = spec.output_shape or (builder.shape(inputs[0]) if inputs else (1,))
    attrs = {"layer_class": spec.class_name, "reason": reason}
    return builder.add(Op.UNSUPPORTED, inputs, name=spec.name, layer=layer, attrs=attrs, shape=shape)


def pair(value: Any) -> tuple[int, int]:
    """Return (height, width) of a Keras size that may be one number."""
    if isinstance(value, (list, tuple)):
        return int(value[0]), int(value[1])
    return int(value), int(value)


def require_channels_last(spec: LayerSpec) -> None:
    """Raise where a layer wants channels first: graphs are NHWC."""
    if spec.config.get("data_format") == "channels_first":
        raise ModelError(
            f"layer '{spec.name}' ({spec.class_name}) is channels_first; the DPU and NERONE are channels_last: "
            "rebuild the model with data_format='channels_last'"
        )
