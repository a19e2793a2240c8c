"""Which layer each instruction belongs to.

The stream names no layers. A load of weights belongs to the op that reads the constant at its address, and so does
every instruction that reads these rows. What reads no weights (pools, sums, copies) belongs to the op without weights
that follows the layers whose results it reads; a save to the layer whose rows it saves; a load of data to the layer
that reads it first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nerone import _core
from nerone.instructions.ports import port_of
from nerone.instructions.program import Program
from nerone.instructions.stream import Instruction, unit_of

__all__ = ["layers_of"]

_PASSING = frozenset({"upload", "download", "data-fix", "const-fix", "const", "data"})
_KINDS = {"POOL": "pool", "ALU": "pool", "ELEW": "eltwise"}


def layers_of(
    program: Program, instructions: Sequence[Instruction], graph: Mapping[str, Any], names: Iterable[str]
) -> list[str]:
    """Return the op's name for each instruction, "" where none was found.

    Parameters
    ----------
    program : Program
        Of the subgraph.
    instructions : sequence of Instruction
        Of the program.
    graph : mapping
        As `nerone._core.read_xmodel` gives it.
    names : iterable of str
        Ops of the subgraph.
    """
    return _Assignment(program, instructions, graph, names).run()


class _Assignment:
    def __init__(
        self, program: Program, instructions: Sequence[Instruction], graph: Mapping[str, Any], names: Iterable[str]
    ) -> None:
        self.version = program.version
        self.instructions = instructions
        self.sources = _core.instruction_sources(program.code, program.fingerprint, program.dpu_name)
        self.ops = {each["name"]: each for each in graph["ops"]}
        self.computing = [name for name in names if self.ops[name]["type"] not in _PASSING]
        self.found = [""] * len(instructions)
        self._place_constants()
        self.readers: dict[str, list[str]] = {}
        for name in self.computing:
            for several in self.ops[name]["inputs"].values():
                for source in several:
                    self.readers.setdefault(source, []).append(name)

    def run(self) -> list[str]:
        for index, each in enumerate(self.instructions):
            if each.name == "LOAD":
                self.found[index] = self._constant_at(each.fields["reg"], each.fields["ddr"])
            elif each.name == "SAVE":
                self.found[index] = self._latest(index)
            elif not each.name.endswith("INIT") and each.name != "END":
                self.found[index] = self._computed(index, each.name)
        self._assign_data_loads()
        self._assign_inits()
        return self.found

    def _place_constants(self) -> None:
        self.constants: dict[int, list[tuple[int, int, str]]] = {}
        for name in self.computing:
            for several in self.ops[name]["inputs"].values():
                for source in several:
                    op = self.ops[source]
                    port = port_of(source, op["output"]) if op["type"].startswith("const") else None
                    if port is not None:
                        size = 1
                        for n in port.shape:
                            size *= n
                        self.constants.setdefault(port.register, []).append((port.address, port.address + size, name))
        for places in self.constants.values():
            places.sort()

    def _constant_at(self, register: int, address: int) -> str:
        places = self.constants.get(register, [])
        at = bisect_right(places, (address, 1 << 62, "")) - 1
        return places[at][2] if at >= 0 and address < places[at][1] else ""

    def _latest(self, index: int) -> str:
        named = [source for source in self.sources[index] if self.found[source]]
        return self.found[named[-1]] if named else ""

    def _computed(self, index: int, kind: str) -> str:
        loads = [i for i in self.sources[index] if self.instructions[i].name == "LOAD" and self.found[i]]
        if loads:
            return self.found[loads[-1]]
        before = {self.found[i] for i in self.sources[index] if self.found[i]}
        following = [name for name in self.computing if before & self._inputs(name) and not self._has_weights(name)]
        matching = [name for name in following if self.ops[name]["type"].startswith(_KINDS.get(kind, ""))]
        return (matching or following or sorted(before) or [""])[0]

    def _inputs(self, name: str) -> set[str]:
        return {source for several in self.ops[name]["inputs"].values() for source in several}

    def _has_weights(self, name: str) -> bool:
        return "weights" in self.ops[name]["inputs"]

    def _assign_data_loads(self) -> None:
        for index, sources in enumerate(self.sources):
            for source in sources:
                if self.instructions[source].name == "LOAD" and not self.found[source]:
                    self.found[source] = self.found[index]

    def _assign_inits(self) -> None:
        following: dict[int, str] = {}
        for index in range(len(self.instructions) - 1, -1, -1):
            each = self.instructions[index]
            unit = unit_of(each.name, self.version)
            if each.name.endswith("INIT"):
                self.found[index] = following.get(unit, "")
            else:
                following[unit] = self.found[index]
