"""Calls of layers as model files store them, by Keras 2 and 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Reference", "StoredCall", "references", "stored_call"]

# Arguments of calls that are no input of the layer's function.
_ASIDE = ("mask", "training", "name")


@dataclass(frozen=True)
class Reference:
    """A tensor of a stored model: output ``output`` of call ``call`` of layer ``layer``.

    Attributes
    ----------
    shape : its shape without the batch axis, where the file has it
    """

    layer: str
    call: int
    output: int
    shape: tuple[int, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StoredCall:
    """One call of a layer; tensors among its arguments are references.

    Attributes
    ----------
    args : positional arguments, a list of tensors being one of them
    kwargs : arguments by name, without masks and names
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def tensors(self) -> list[Reference]:
        """All tensors among the arguments, in order."""
        return [*_found(self.args), *_found(list(self.kwargs.values()))]

    @property
    def arguments(self) -> list[Any]:
        """Positional arguments, then those given by name."""
        return [*self.args, *self.kwargs.values()]


def stored_call(node: Any) -> StoredCall:
    """Read an entry of ``inbound_nodes``."""
    if isinstance(node, Mapping) and "args" in node:
        kwargs = {key: _value(item) for key, item in node.get("kwargs", {}).items() if key not in _ASIDE}
        return StoredCall(tuple(_value(item) for item in node["args"]), kwargs)
    kwargs = {key: _value(item) for key, item in _named(node).items() if key not in _ASIDE}
    first = _value(node)
    if isinstance(first, list) and len(first) == 1:
        first = first[0]
    return StoredCall((first,), kwargs)


def references(value: Any) -> list[Reference]:
    """All references in ``input_layers``, ``output_layers`` or ``inbound_nodes``."""
    if isinstance(value, Mapping) and "args" in value:
        return stored_call(value).tensors
    return list(_found(_value(value)))


def _named(node: Any) -> Mapping[str, Any]:
    """Keras 2 keeps a call's named arguments beside its first tensor."""
    while isinstance(node, (list, tuple)) and node and isinstance(node[0], (list, tuple)):
        node = node[0]
    return node[3] if isinstance(node, (list, tuple)) and len(node) > 3 and isinstance(node[3], Mapping) else {}


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, (list, tuple)):
        if len(value) >= 3 and isinstance(value[0], str) and type(value[1]) is int:
            # Keras 2 writes a constant in place of a first tensor so.
            return value[2] if value[0] == "_CONSTANT_VALUE" else Reference(value[0], value[1], int(value[2]))
        return [_value(item) for item in value]
    return value


def _object(value: Mapping[str, Any]) -> Any:
    kind, config = value.get("class_name"), value.get("config")
    if kind == "__keras_tensor__":
        assert isinstance(config, Mapping)
        layer, call, output = config["keras_history"]
        sizes = (config.get("shape") or [None])[1:]
        known = all(type(size) is int for size in sizes) and bool(sizes)
        return Reference(str(layer), int(call), int(output), tuple(sizes) if known else None)
    if kind == "__slice__" or (kind is None and set(value) == {"start", "stop", "step"}):
        part = config if isinstance(config, Mapping) else value
        return slice(part.get("start"), part.get("stop"), part.get("step"))
    if kind == "__ellipsis__":
        return Ellipsis
    if kind in ("__tensor__", "__numpy__"):
        return np.asarray(config["value"] if isinstance(config, Mapping) else value.get("value"))
    return {key: _value(item) for key, item in value.items()}


def _found(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _found(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _found(item)
