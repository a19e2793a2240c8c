"""Cost of each instruction of a stream: cycles of its unit, bytes of memory traffic, and the layer it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nerone.errors import ModelError
from nerone.instructions.program import Program
from nerone.instructions.stream import UNITS, Instruction, unit_of

__all__ = ["Work", "work_of"]


@dataclass(frozen=True)
class Work:
    """The cost of one instruction.

    Attributes
    ----------
    unit : int
        Its bit (`UNITS`).
    waits, gives : tuple of int
        Units that it takes a token from before it starts, and gives one to when it is done.
    cycles : int
        At least these, of its unit.
    macs : int
        Multiply-accumulates, those of padding and of missing channels counted.
    moved_bytes : int
        Between memory and banks.
    pieces : int
        Separate runs of bytes in memory.
    register : int
        Of LOAD and SAVE; -1 for others.
    """

    unit: int
    waits: tuple[int, ...]
    gives: tuple[int, ...]
    cycles: int = 0
    macs: int = 0
    moved_bytes: int = 0
    pieces: int = 0
    register: int = -1


_INITS = {"CONV": "CONVINIT", "DPTWISE": "DWINIT", "POOL": "POOLINIT", "ALU": "ALUINIT"}


def work_of(program: Program, instructions: list[Instruction] | None = None) -> list[Work]:
    """Return the cost of each instruction of a program, in the order of its streams.

    Raises
    ------
    ModelError
        Where an instruction has no INIT before it.
    """
    machine = program.machine()
    inits: dict[str, Mapping[str, int]] = {}
    found = []
    for index, each in enumerate(program.instructions() if instructions is None else instructions):
        fields: Mapping[str, int] = each.fields
        if each.name in _INITS:
            if _INITS[each.name] not in inits:
                raise ModelError(f"instruction {index} ({each.name}): no {_INITS[each.name]} stands before it")
            fields = {**inits[_INITS[each.name]], **fields}
        elif each.name.endswith("INIT"):
            inits[each.name] = each.fields
        unit = unit_of(each.name, program.version)
        waits, gives = (
            tuple(bit for bit in UNITS if bit != unit and tokens & bit) for tokens in (each.dpdon, each.dpdby)
        )
        cycles, macs, moved, pieces = _COSTS.get(each.name, _nothing)(fields, machine)
        found.append(Work(unit, waits, gives, cycles, macs, moved, pieces, fields.get("reg", -1)))
    return found


_Cost = tuple[int, int, int, int]
_Machine = Mapping[str, int]


def _nothing(_fields: Mapping[str, int], _machine: _Machine) -> _Cost:
    return 0, 0, 0, 0


def _transfer(fields: Mapping[str, int], machine: _Machine) -> _Cost:
    rows = fields["length"] * -(-fields["channel"] // machine["channels"])
    step = fields["jump_read"] if "pad_idx" in fields else fields["jump_write"]
    pieces = 1 if step == fields["channel"] else fields["length"]
    return rows, 0, fields["length"] * fields["channel"], pieces


def _conv(fields: Mapping[str, int], machine: _Machine) -> _Cost:
    cycles = fields["length"] * fields["kernel_h"] * fields["kernel_w"] * fields["cg"]
    return cycles, cycles * fields["vpp"] * machine["channels"] ** 2, 0, 0


def _channelwise(fields: Mapping[str, int], machine: _Machine) -> _Cost:
    kernel_h, kernel_w = fields["kernel_h"], fields["kernel_w"]
    if fields.get("type") == 2:
        kernel_h, kernel_w = fields["ds_kh"], fields["ds_kw"]
    turns = -(-fields["vpp"] // machine["misc_pixels"])
    cycles = turns * fields["length"] * kernel_h * kernel_w * fields["cg"]
    is_product = "waddr" in fields and fields.get("mode", 0) in (0, 6)
    return cycles, cycles * machine["channels"] * fields["vpp"] if is_product else 0, 0, 0


def _elementwise(fields: Mapping[str, int], machine: _Machine) -> _Cost:
    turns = -(-fields["vpp"] // machine["misc_pixels"])
    return turns * fields["length"] * fields["cg"] * fields["num"], 0, 0, 0


_COSTS: dict[str, Callable[[Mapping[str, int], _Machine], _Cost]] = {
    "LOAD": _transfer,
    "SAVE": _transfer,
    "CONV": _conv,
    "DPTWISE": _channelwise,
    "POOL": _channelwise,
    "ALU": _channelwise,
    "ELEW": _elementwise,
}
