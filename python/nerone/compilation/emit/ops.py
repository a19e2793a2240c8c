"""The ops of one DPU subgraph, read from a graph in the schema of `nerone._core.read_xmodel`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError

__all__ = ["Operation", "Shape", "SubgraphOps", "image_shape", "read_subgraph"]

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Operation:
    """An op.

    Attributes
    ----------
    name, type : str
    attrs : XIR's attributes
    inputs : names of the ops of its inputs, by role
    shape : tuple of int, of the output, the batch included
    fix_point : int
    """

    name: str
    type: str
    attrs: Mapping[str, Any]
    inputs: Mapping[str, list[str]]
    shape: tuple[int, ...]
    fix_point: int

    @property
    def image(self) -> Shape:
        """Its output as (height, width, channels)."""
        return image_shape(self.shape)

    def pair(self, key: str, fallback: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """Return a {width, height} attribute as (height, width)."""
        found = self.attrs.get(key) or (fallback[1], fallback[0])
        return int(found[1]), int(found[0])

    def pads(self) -> tuple[int, int, int, int]:
        """Return {left, right, top, bottom} as (top, bottom, left, right)."""
        left, right, top, bottom = (int(size) for size in self.attrs.get("pad") or (0, 0, 0, 0))
        return top, bottom, left, right

    def text(self, key: str, fallback: str = "") -> str:
        """Return a text attribute in capitals."""
        return str(self.attrs.get(key) or fallback).upper()


def image_shape(shape: tuple[int, ...]) -> Shape:
    """Return (height, width, channels) of a shape with a batch axis of one image."""
    inner = [int(size) for size in shape[1:]] or [1]
    inner = [1] * (3 - len(inner)) + inner
    return int(np.prod(inner[:-2])), inner[-2], inner[-1]


@dataclass
class SubgraphOps:
    """The ops of a subgraph in an order in which they can run.

    Attributes
    ----------
    ops : by name, uploads and constants that are no weights included, other constants and downloads not
    constants : int8 values by name
    constant_fix : their fix points
    outputs : names of the ops whose values leave
    """

    ops: dict[str, Operation] = field(default_factory=dict)
    constants: dict[str, NDArray[np.int8]] = field(default_factory=dict)
    constant_fix: dict[str, int] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    def readers(self, name: str) -> list[Operation]:
        """Return the ops that read a value."""
        return [op for op in self.ops.values() if any(name in names for names in op.inputs.values())]


def read_subgraph(graph: Mapping[str, Any], child: Mapping[str, Any]) -> SubgraphOps:
    """Read the ops of a DPU subgraph.

    Raises
    ------
    ModelError
        where weights are missing, as in a compiled file, or an op has a batch of more than one image.
    """
    names, found = set(child["ops"]), SubgraphOps()
    for op in graph["ops"]:
        if op["name"] not in names:
            continue
        output = op["output"]
        shape = tuple(int(size) for size in output["shape"])
        fix_point = int(output["attrs"].get("fix_point", 0))
        if op["type"] == "const-fix":
            data = np.frombuffer(bytes(op["attrs"]["data"]), np.int8)
            if data.size != int(np.prod(shape)):
                raise ModelError(f"constant '{op['name']}' holds no data; give the quantized model, not a compiled one")
            found.constants[op["name"]], found.constant_fix[op["name"]] = data.reshape(shape), fix_point
        elif op["type"] == "download":
            found.outputs.append(op["inputs"]["input"][0])
        else:
            if shape and shape[0] != 1 and op["type"] != "upload":
                raise ModelError(f"op '{op['name']}' has a batch of {shape[0]}; the compiler takes one image at a time")
            inputs = {role: list(sources) for role, sources in op["inputs"].items()}
            found.ops[op["name"]] = Operation(op["name"], op["type"], op["attrs"], inputs, shape, fix_point)
    return _with_constants(found)


def _with_constants(sub: SubgraphOps) -> SubgraphOps:
    """Put the constants that are images, not weights, before the ops that read them."""
    read = [name for op in sub.ops.values() for name in op.inputs.get("input", ()) if name in sub.constants]
    images = {}
    for name in dict.fromkeys(read):
        shape = sub.constants[name].shape
        shape = (*(1,) * (4 - len(shape)), *shape)
        images[name] = Operation(name, "const-fix", {}, {}, shape, sub.constant_fix[name])
    sub.ops = {**images, **sub.ops}
    return sub
