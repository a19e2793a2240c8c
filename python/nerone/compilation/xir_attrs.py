"""Attributes of XIR ops in this project's order: (height, width) and (top, bottom, left, right)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError

__all__ = ["Attrs", "Pads", "constant_array", "window_pads"]

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


class Attrs:
    """Attributes of one op in the schema of `nerone._core.read_xmodel`."""

    def __init__(self, op: Mapping[str, Any]) -> None:
        self._op, self._attrs = op, op["attrs"]

    def integer(self, key: str, fallback: int | None = None) -> int:
        """Return an integer; ModelError where it is absent without a fallback."""
        value = self._attrs.get(key, fallback)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ModelError(f"op '{self._op['name']}' ({self._op['type']}) has {key} {value!r}; expected an integer")
        return value

    def pair(self, key: str, fallback: Pair | None = None) -> Pair:
        """Return XIR's {w, h} as (height, width)."""
        value = self._attrs.get(key)
        if value is None and fallback is not None:
            return fallback
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ModelError(f"op '{self._op['name']}' ({self._op['type']}) has {key} {value!r}; expected two numbers")
        return int(value[1]), int(value[0])

    def pads(self) -> Pads:
        """Return XIR's {left, right, top, bottom} as (top, bottom, left, right)."""
        value = self._attrs.get("pad", (0, 0, 0, 0))
        if not isinstance(value, (list, tuple)) or len(value) != 4:
            raise ModelError(f"op '{self._op['name']}' ({self._op['type']}) has pad {value!r}; expected four numbers")
        return int(value[2]), int(value[3]), int(value[0]), int(value[1])


def window_pads(op: Mapping[str, Any], size: Pair, kernel: Pair, strides: Pair, dilation: Pair) -> Pads:
    """Return the explicit padding of a convolution or pool.

    XIR's pad_mode SAME may come without numbers, and CEIL reads beyond the last pixel; the output's shape tells how
    many rows and columns are needed.
    """
    pad = list(Attrs(op).pads())
    mode = str(op["attrs"].get("pad_mode", "FLOOR")).upper()
    for axis in (0, 1):
        reach = (op["output"]["shape"][1 + axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilation[axis] + 1
        missing = reach - size[axis] - pad[2 * axis] - pad[2 * axis + 1]
        if missing <= 0:
            continue
        before = missing // 2 if mode == "SAME" else 0
        pad[2 * axis] += before
        pad[2 * axis + 1] += missing - before
    return pad[0], pad[1], pad[2], pad[3]


def constant_array(op: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the values of a const op, which must hold them inline."""
    attrs = op["attrs"]
    kinds = {"FLOAT32": np.float32, "INT32": np.int32, "INT64": np.int64}
    kind = kinds.get(str(attrs["data_type"]).upper())
    shape = tuple(int(size) for size in attrs["shape"])
    data = bytes(attrs["data"])
    if kind is None or len(data) != int(np.prod(shape)) * np.dtype(kind).itemsize:
        raise ModelError(
            f"constant '{op['name']}' is {attrs['data_type']} {shape} with {len(data)} bytes; export the model again"
        )
    return np.frombuffer(data, kind).reshape(shape).astype(np.float32)
