"""A XIR graph in plain values while it is being built; `nerone._core.write_xmodel` writes what `to_dict` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nerone.errors import ModelError

__all__ = ["FIXED", "REAL", "XirGraph", "XirOp", "XirSubgraph"]

FIXED = "XINT8"
REAL = "FLOAT32"


@dataclass
class XirOp:
    """One XIR op and its one output tensor.

    Attributes
    ----------
    name, type : str, the op's name and XIR's name of its kind
    attrs : attributes with XIR's names; width comes before height
    inputs : names of the producing ops, by role ("input", "weights", "bias")
    shape : shape of the output, batch axis included
    fix_point : position of a fixed-point output; None for a float one
    device : "USER", "DPU" or "CPU"
    source : name of the graph node that this op computes (part of)
    macs : multiply-accumulates of one image
    """

    name: str
    type: str
    attrs: dict[str, Any]
    inputs: dict[str, list[str]]
    shape: tuple[int, ...]
    fix_point: int | None
    device: str
    source: str = ""
    macs: int = 0
    round_mode: str = "DPU_ROUND"
    tensor: str = ""

    def __post_init__(self) -> None:
        if not self.tensor:
            self.tensor = f"{self.name}_fix" if self.fix_point is not None else self.name

    @property
    def data_type(self) -> str:
        """XIR's name of the output's data type."""
        return REAL if self.fix_point is None else FIXED

    def input_names(self) -> Iterator[str]:
        """Yield the names of all producers, weights and biases too."""
        for names in self.inputs.values():
            yield from names

    def to_dict(self) -> dict[str, Any]:
        """Return this op in the schema of `nerone._core.write_xmodel`."""
        tensor_attrs: dict[str, Any] = {}
        if self.fix_point is not None:
            tensor_attrs = fix_attrs(self.fix_point, self.round_mode)
        return {
            "name": self.name,
            "type": self.type,
            "attrs": {**self.attrs, "device": self.device} if self.device else dict(self.attrs),
            "inputs": {role: list(names) for role, names in self.inputs.items() if names},
            "output": {
                "name": self.tensor,
                "shape": [int(size) for size in self.shape],
                "data_type": self.data_type,
                "attrs": tensor_attrs,
            },
        }


def fix_attrs(fix_point: int, round_mode: str) -> dict[str, Any]:
    """Return the attributes that XIR keeps for a fixed-point tensor, and for the ops that make one."""
    return {"fix_point": int(fix_point), "bit_width": 8, "if_signed": True, "round_mode": round_mode}


@dataclass
class XirSubgraph:
    """A node of the subgraph tree: a device's part of the model, or one op of it."""

    name: str
    attrs: dict[str, Any]
    ops: list[str]
    children: list[XirSubgraph] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return this subgraph in the schema of `nerone._core.write_xmodel`."""
        return {
            "name": self.name,
            "attrs": dict(self.attrs),
            "ops": list(self.ops),
            "children": [child.to_dict() for child in self.children],
        }


class XirGraph:
    """Ops in topological order, with unique names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._ops: dict[str, XirOp] = {}

    def __iter__(self) -> Iterator[XirOp]:
        return iter(self._ops.values())

    def __len__(self) -> int:
        return len(self._ops)

    def __getitem__(self, name: str) -> XirOp:
        return self._ops[name]

    def __contains__(self, name: object) -> bool:
        return name in self._ops

    def unique(self, name: str) -> str:
        """Return ``name``, or ``name_1``, ``name_2`` ... where it is taken."""
        candidate, count = name, 0
        while candidate in self._ops:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    def add(self, op: XirOp) -> XirOp:
        """Append an op; its producers have to be there already."""
        if op.name in self._ops:
            raise ModelError(f"two ops of model '{self.name}' are named '{op.name}'; rename one of the layers")
        for producer in op.input_names():
            if producer not in self._ops:
                raise ModelError(f"op '{op.name}' reads '{producer}', which is not in the graph yet")
        self._ops[op.name] = op
        return op

    def add_const(
        self, name: str, values: np.ndarray[Any, Any], fix_point: int | None, device: str, source: str
    ) -> XirOp:
        """Append int8 weights (``fix_point`` given) or float32 ones, data inline."""
        fixed = fix_point is not None
        data = np.ascontiguousarray(values, dtype=np.int8 if fixed else np.float32)
        attrs = {
            "shape": [int(size) for size in data.shape],
            "data_type": FIXED if fixed else REAL,
            "data": data.tobytes(),
        }
        return self.add(
            XirOp(
                self.unique(name),
                "const-fix" if fixed else "const",
                attrs,
                {},
                data.shape,
                fix_point,
                device,
                source,
                round_mode="PY3_ROUND",
            )
        )

    def consumers(self) -> dict[str, list[XirOp]]:
        """Return for each op the ops that read it."""
        readers: dict[str, list[XirOp]] = {name: [] for name in self._ops}
        for op in self:
            for producer in dict.fromkeys(op.input_names()):
                readers[producer].append(op)
        return readers

    def to_dict(self, root: XirSubgraph, attrs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the whole model in the schema of `nerone._core.write_xmodel`."""
        self._separate_tensor_names()
        return {
            "name": self.name,
            "attrs": dict(attrs or {}),
            "ops": [op.to_dict() for op in self],
            "root": root.to_dict(),
        }

    def _separate_tensor_names(self) -> None:
        """Tensors share one name space, whatever the layers are called."""
        used: set[str] = set()
        for op in self:
            name, count = op.tensor, 0
            while op.tensor in used:
                count += 1
                op.tensor = f"{name}_{count}"
            used.add(op.tensor)


def in_order(ops: Sequence[XirOp]) -> list[XirOp]:
    """Sort ops topologically; among ready ops the given order is kept."""
    by_name = {op.name: op for op in ops}
    placed: dict[str, XirOp] = {}
    visiting: list[tuple[XirOp, Iterator[str]]] = []
    for start in ops:
        if start.name in placed:
            continue
        visiting.append((start, start.input_names()))
        while visiting:
            op, producers = visiting[-1]
            pending = next((name for name in producers if name not in placed), None)
            if pending is None:
                placed.setdefault(op.name, op)
                visiting.pop()
            else:
                visiting.append((by_name[pending], by_name[pending].input_names()))
    return list(placed.values())
