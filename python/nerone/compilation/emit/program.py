"""A stream while it is made: instructions that know which rows of banks and bytes of DDR they read and write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nerone.compilation.emit.machine import BANK_ROWS, CONV, LOAD, MISC, SAVE

__all__ = ["Access", "Instruction", "Program", "Step", "bank_rows", "ddr_bytes"]

_ENGINES = {"LOAD": LOAD, "SAVE": SAVE, "END": SAVE, "CONV": CONV, "CONVINIT": CONV}

Access = tuple[int, int, int]
"""(space, first, count): rows of a bank (space = bank), or 16-byte units of a register (space = -1 - register)."""

DDR_UNIT = 16


def bank_rows(bank: int, first: int, count: int) -> list[Access]:
    """Return rows of a bank, whose addresses are cyclic."""
    first %= BANK_ROWS
    if count >= BANK_ROWS:
        return [(bank, 0, BANK_ROWS)]
    if first + count <= BANK_ROWS:
        return [(bank, first, count)]
    head = BANK_ROWS - first
    return [(bank, first, head), (bank, 0, count - head)]


def ddr_bytes(register: int, first: int, count: int) -> list[Access]:
    """Return bytes of a register."""
    start = first // DDR_UNIT
    return [(-1 - register, start, (first + count - 1) // DDR_UNIT - start + 1)]


@dataclass
class Instruction:
    """One instruction, without its tokens.

    Attributes
    ----------
    name : str, such as "CONV"
    fields : by name; one that is absent has its smallest value
    reads, writes : what it touches; may be wider than the truth, never narrower
    pair : 0 for a single instruction; 1 and 2 for the SAVEs of a pair
    """

    name: str
    fields: dict[str, int]
    reads: list[Access] = field(default_factory=list)
    writes: list[Access] = field(default_factory=list)
    pair: int = 0

    @property
    def engine(self) -> int:
        """The engine that executes it, as its bit."""
        return _ENGINES.get(self.name, MISC)


@dataclass
class Step:
    """Instructions of one tile: loads, then computation, then saves; correct when executed in this order."""

    loads: list[Instruction] = field(default_factory=list)
    computes: list[Instruction] = field(default_factory=list)
    saves: list[Instruction] = field(default_factory=list)


class Program:
    """Steps in order; set-up instructions that would change nothing are left out."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._set_up: dict[str, dict[str, int]] = {}

    def step(self) -> Step:
        """Append a step."""
        self.steps.append(Step())
        return self.steps[-1]

    def set_up(self, step: Step, name: str, fields: dict[str, int]) -> None:
        """Append a CONVINIT, DWINIT, POOLINIT or ALUINIT where it differs from the last of its kind."""
        if self._set_up.get(name) != fields:
            self._set_up[name] = dict(fields)
            step.computes.append(Instruction(name, fields))

    def instructions(self) -> Iterable[Instruction]:
        """Yield all instructions step by step."""
        for step in self.steps:
            yield from step.loads
            yield from step.computes
            yield from step.saves
