"""Where a program's tensors lie in its registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ModelError

__all__ = ["Port", "port_of", "ports_of"]


@dataclass(frozen=True)
class Port:
    """A tensor in a register.

    Attributes
    ----------
    op : str
        The op whose output it is; for an input, the op outside the subgraph.
    tensor : str
        Name of the tensor that carries the place.
    shape : tuple of int
        Of the int8 tensor.
    fix_point : int
        One step is 2**-fix_point.
    register, address : int
        Number of the register, and bytes from its start.
    stride : tuple of int
        Bytes from element to element along each axis.
    """

    op: str
    tensor: str
    shape: tuple[int, ...]
    fix_point: int
    register: int
    address: int
    stride: tuple[int, ...]

    def view(self, register: bytearray | memoryview) -> NDArray[np.int8]:
        """Return the tensor as it stands in the register's bytes.

        Raises
        ------
        ModelError
            Where it does not fit into the register.
        """
        last = self.address + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if self.address < 0 or min(self.stride) < 0 or last >= len(register):
            raise ModelError(
                f"tensor '{self.tensor}' ends at byte {last} of register {self.register}, which has {len(register)}"
            )
        view: NDArray[np.int8] = np.ndarray(self.shape, np.int8, register, self.address, self.stride)
        return view


def port_of(op: str, tensor: Mapping[str, Any]) -> Port | None:
    """Return where a tensor lies; None where it says nothing of a register."""
    attrs = tensor["attrs"]
    if "reg_id" not in attrs or "ddr_addr" not in attrs:
        return None
    shape = tuple(int(n) for n in tensor["shape"])
    dense = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    stride = tuple(int(step) for step in attrs.get("stride") or dense)
    if len(stride) != len(shape):
        stride = dense
    return Port(
        op, tensor["name"], shape, int(attrs.get("fix_point", 0)), int(attrs["reg_id"]), int(attrs["ddr_addr"]), stride
    )


def ports_of(graph: Mapping[str, Any], names: Iterable[str]) -> tuple[list[Port], list[Port]]:
    """Return inputs and outputs of the subgraph that holds these ops, in the order of its uploads and downloads.

    Raises
    ------
    ModelError
        Where an input or output has no place in a register.
    """
    ops = {each["name"]: each for each in graph["ops"]}
    inputs: list[Port] = []
    outputs: list[Port] = []
    for name in names:
        op = ops[name]
        if op["type"] not in ("upload", "download"):
            continue
        source = op["inputs"]["input"][0]
        port = port_of(source, (op if op["type"] == "upload" else ops[source])["output"])
        if port is None:
            raise ModelError(f"the tensor of op '{name}' has no place in a register; compile the model again")
        (inputs if op["type"] == "upload" else outputs).append(port)
    return inputs, outputs
