"""The small objects of `nerone.backends.pynq.xir`: attributes, tensors and ops."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from nerone.errors import ModelError

__all__ = ["Attributed", "Op", "Tensor"]

Plain = dict[str, Any]


class Ops(Protocol):
    """The graph as its ops use it; `nerone.backends.pynq.xir.Graph` is one."""

    def get_op(self, name: str) -> Op:
        """Return the op of that name."""

    def readers_of(self, name: str) -> list[str]:
        """Return the names of the ops that read the output of one."""


class Attributed:
    """The base of graphs, subgraphs, ops and tensors."""

    def __init__(self, kind: str, plain: Plain) -> None:
        self._kind, self._plain = kind, plain

    @property
    def _attrs(self) -> Plain:
        attrs: Plain = self._plain["attrs"]
        return attrs

    def get_name(self) -> str:
        """Return its name."""
        return str(self._plain["name"])

    def has_attr(self, name: str) -> bool:
        """Return whether it has an attribute."""
        return name in self._attrs

    def get_attr(self, name: str) -> Any:
        """Return an attribute; ModelError where there is none (the official module ends the process)."""
        if name not in self._attrs:
            raise ModelError(
                f"{self._kind} '{self.get_name()}' has no attribute '{name}'; it has {sorted(self._attrs)}"
            )
        return self._attrs[name]

    def set_attr(self, name: str, value: Any) -> None:
        """Set an attribute of this object; runners that exist already, or are made later, do not see it."""
        self._attrs[name] = value

    def get_attrs(self) -> Plain:
        """Return all attributes."""
        return dict(self._attrs)

    def __repr__(self) -> str:
        return f"<xir.{type(self).__name__} named '{self.get_name()}'>"


class Tensor(Attributed):
    """The output of an op."""

    def __init__(self, plain: Plain, producer: Op | None = None) -> None:
        super().__init__("tensor", plain)
        self._producer = producer

    @property
    def name(self) -> str:
        """Name of the tensor."""
        return self.get_name()

    @property
    def dims(self) -> list[int]:
        """Extents, with the batch axis."""
        return list(self._plain["shape"])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._plain["shape"])

    @property
    def dtype(self) -> str:
        """XIR's name of the data type in small letters, "xint8" or "float32"."""
        return str(self._plain["data_type"]).lower()

    @property
    def producer(self) -> Op:
        """The op whose output this is."""
        if self._producer is None:
            raise ModelError(f"tensor '{self.name}' belongs to a runner and has no producer")
        return self._producer

    def __str__(self) -> str:
        attrs = "".join(f", {name}: {value}" for name, value in sorted(self._attrs.items()))
        return f"{{name: {self.name}, shape: {self.dims}, type: {self.dtype}{attrs}}}"

    def get_element_num(self) -> int:
        """Return how many elements it has."""
        count = 1
        for extent in self._plain["shape"]:
            count *= int(extent)
        return count

    def get_data_size(self) -> int:
        """Return its size in bytes."""
        bits = int("".join(letter for letter in self.dtype if letter.isdigit()))
        return self.get_element_num() * ((bits + 7) // 8)


class Op(Attributed):
    """One operation."""

    def __init__(self, graph: Ops, plain: Plain) -> None:
        super().__init__("op", plain)
        self._graph = graph

    @cached_property
    def _output(self) -> Tensor:
        return Tensor(self._plain["output"], self)

    def get_type(self) -> str:
        """Return XIR's name of the operation."""
        return str(self._plain["type"])

    def get_graph(self) -> Ops:
        """Return the graph it belongs to."""
        return self._graph

    def get_input_num(self, name: str | None = None) -> int:
        """Return the number of inputs, of one role or of all."""
        inputs: dict[str, list[str]] = self._plain["inputs"]
        return len(inputs.get(name, [])) if name is not None else sum(map(len, inputs.values()))

    def get_input_ops(self) -> dict[str, list[Op]]:
        """Return the ops that it reads, by role."""
        return {role: [self._graph.get_op(op) for op in ops] for role, ops in self._plain["inputs"].items()}

    def get_input_ops_by_name(self, name: str) -> list[Op]:
        """Return the ops that it reads in one role."""
        return self.get_input_ops().get(name, [])

    def get_input_op(self, name: str, idx: int = 0) -> Op:
        """Return one op that it reads."""
        ops = self.get_input_ops_by_name(name)
        if not 0 <= idx < len(ops):
            raise ModelError(f"op '{self.get_name()}' has {len(ops)} inputs '{name}', not one of number {idx}")
        return ops[idx]

    def get_input_tensors(self) -> list[Tensor]:
        """Return the tensors that it reads."""
        return [op.get_output_tensor() for ops in self.get_input_ops().values() for op in ops]

    def get_input_tensors_by_name(self, name: str) -> list[Tensor]:
        """Return the tensors that it reads in one role."""
        return [op.get_output_tensor() for op in self.get_input_ops_by_name(name)]

    def get_input_tensor(self, name: str, idx: int = 0) -> Tensor:
        """Return one tensor that it reads."""
        return self.get_input_op(name, idx).get_output_tensor()

    def get_output_tensor(self) -> Tensor:
        """Return its output."""
        return self._output

    def get_fanout_ops(self) -> list[Op]:
        """Return the ops that read its output."""
        return [self._graph.get_op(name) for name in self._graph.readers_of(self.get_name())]

    def get_fanout_num(self) -> int:
        """Return how many ops read its output."""
        return len(self.get_fanout_ops())
