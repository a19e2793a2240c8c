"""Which instructions must follow which others, from the memory that they touch, and whether tokens see to it.

Written apart from the order check: the memory that an instruction touches comes from the numpy simulator, all pairs of
accesses are compared (not only the last one of a row), and an order is a graph. Its judgement is what the check's is
counted against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compilation.emit_hazards import engine_of
from compilation.emit_simulator import Simulator
from nerone.compilation.emit.machine import BANK_ROWS, Machine, machine_of
from nerone.instructions import Instruction, Program

__all__ = ["Hazards", "Token", "tokens_of", "without"]

_BITS = (1, 2, 4, 8)
_USERS = {"CONVINIT": "CONV", "DWINIT": "DPTWISE", "POOLINIT": "POOL", "ALUINIT": "ALU", "ELEWINIT": "ELEW"}

Space = tuple[str, int]
Place = tuple[Space, NDArray[np.int64], bool]
"""A bank's rows or a register's bytes, and whether they are written."""


@dataclass(frozen=True)
class Token:
    """One token: who gives it and who takes it, instructions and units."""

    giver: int
    taker: int
    from_unit: int
    to_unit: int


class _Places(Simulator):
    """Notes where instructions read and write; moves no data."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, {})
        self.found: list[Place] = []

    def of(self, instruction: Instruction) -> list[Place]:
        self.found = []
        getattr(self, f"_{instruction.name.lower()}")(instruction.fields)
        return self.found

    def _get(self, bank: int, rows: NDArray[np.int64]) -> NDArray[np.int8]:
        self.found.append((("bank", bank), rows.reshape(-1), False))
        return np.zeros((*rows.shape, self.machine.channels), np.int8)

    def _put(self, bank: int, rows: NDArray[np.int64], data: NDArray[np.int8]) -> None:
        self.found.append((("bank", bank), rows.reshape(-1), True))

    def _move(self, fields: Mapping[str, int], in_ddr: str, in_bank: str) -> tuple[Any, Any]:
        pieces = np.arange(fields["length"])[:, None]
        ddr = fields["ddr"] + pieces * fields[in_ddr] + np.arange(fields["channel"])
        rows = fields["addr"] + pieces * fields[in_bank] + np.arange(self.machine.groups(fields["channel"]))
        return ddr.reshape(-1), (rows % BANK_ROWS).reshape(-1)

    def _load(self, fields: Mapping[str, int]) -> None:
        ddr, rows = self._move(fields, "jump_read", "jump_write")
        self.found += [(("register", fields["reg"]), ddr, False), (("bank", fields["bank"]), rows, True)]

    def _save(self, fields: Mapping[str, int]) -> None:
        ddr, rows = self._move(fields, "jump_write", "jump_read")
        self.found += [(("bank", fields["bank"]), rows, False), (("register", fields["reg"]), ddr, True)]

    def _window(self, fields: Mapping[str, int], fill: int) -> NDArray[np.float64]:
        super()._window(fields, fill)
        return np.zeros((fields["vpp"], fields["length"], fields["cg"] * self.machine.channels))

    def _taps(self, fields: Mapping[str, int], window: Any) -> Any:
        yield from ((tap, window) for tap in range(fields["kernel_h"] * fields["kernel_w"]))


def tokens_of(instructions: Sequence[Instruction]) -> list[Token]:
    """Pair the tokens of each queue, first in, first out; what nobody gives or takes is left out."""
    given: dict[tuple[int, int], list[int]] = {}
    taken: dict[tuple[int, int], list[int]] = {}
    for index, each in enumerate(instructions):
        unit = engine_of(each.name)
        for other, bit in enumerate(_BITS):
            if other != unit and each.dpdon & bit:
                taken.setdefault((other, unit), []).append(index)
            if other != unit and each.dpdby & bit:
                given.setdefault((unit, other), []).append(index)
    return [
        Token(giver, taker, *units)
        for units, givers in given.items()
        for giver, taker in zip(givers, taken.get(units, []), strict=False)
    ]


def without(instructions: Sequence[Instruction], token: Token) -> list[Instruction]:
    """Return the stream with one token neither given nor taken."""
    changed = list(instructions)
    giver, taker = changed[token.giver], changed[token.taker]
    changed[token.giver] = replace(giver, dpdby=giver.dpdby & ~_BITS[token.to_unit])
    changed[token.taker] = replace(taker, dpdon=taker.dpdon & ~_BITS[token.from_unit])
    return changed


class Hazards:
    """Of each instruction, the last one of every other unit that it must not overtake.

    What comes before that one in its unit is done before it, so that one number for each unit stands for all pairs.
    """

    def __init__(self, program: Program) -> None:
        self.instructions = program.instructions()
        self._machine = machine_of(program.fingerprint)
        self._written = {each.fields["reg"] for each in self.instructions if each.name == "SAVE"}
        self._set_up: list[dict[str, Instruction]] = []
        self._places: dict[int, list[Place]] = {}
        self.needs = self._find(program)

    def _find(self, program: Program) -> NDArray[np.int64]:
        places = _Places(self._machine)
        needs = np.full((len(self.instructions), 4), -1, np.int64)
        shape = (2, 4, self._machine.bias_bank + 1, BANK_ROWS)
        banks = np.full(shape, -1, np.int64)  # last read and write of each unit
        registers = {reg: np.full((2, 4, program.register_bytes[reg] + 64), -1, np.int64) for reg in self._written}
        for index, each in enumerate(self.instructions):
            unit = engine_of(each.name)
            touched = places.of(each)
            for (kind, number), where, is_write in touched:
                if kind == "register" and number not in registers:
                    continue
                last = banks[:, :, number] if kind == "bank" else registers[number]
                found = last[1][:, where].max(axis=1, initial=-1)
                if is_write:
                    found = np.maximum(found, last[0][:, where].max(axis=1, initial=-1))
                np.maximum(needs[index], found, out=needs[index])
            for (kind, number), where, is_write in touched:
                if kind == "bank" or number in registers:
                    last = banks[:, :, number] if kind == "bank" else registers[number]
                    last[int(is_write), unit, where] = index
            needs[index, unit] = -1
        return needs

    def places(self, index: int) -> list[Place]:
        """Return what an instruction touches."""
        if index not in self._places:
            places = _Places(self._machine)
            each = self.instructions[index]
            wanted = [kind for kind, user in _USERS.items() if user == each.name]
            before = []
            for other in reversed(self.instructions[:index]):
                if other.name == "ELEW" and each.name == "ELEW":
                    break
                if other.name in wanted:
                    before.append(other)
                    if each.name != "ELEW":
                        break
            for other in reversed(before):
                places.of(other)
            self._places[index] = places.of(each)
        return self._places[index]

    def conflict(self, first: int, second: int) -> bool:
        """Tell whether two instructions touch the same memory and one of them writes it, or one sets up the other."""
        names = self.instructions[first].name, self.instructions[second].name
        if _USERS.get(names[0]) == names[1] or _USERS.get(names[1]) == names[0]:
            return True
        if names[0] == names[1] and names[0] in _USERS:
            return names[0] != "ELEWINIT"  # their sum or product is the same
        return any(
            one == other and (writes or also_writes) and bool(np.isin(rows, also_rows).any())
            for one, rows, writes in self.places(first)
            if one[0] == "bank" or one[1] in self._written
            for other, also_rows, also_writes in self.places(second)
        )

    def is_broken(self, instructions: Sequence[Instruction]) -> bool:
        """Tell whether a stream of other tokens leaves one of these orders to chance, or never ends."""
        clocks = _clocks(instructions, list(range(len(instructions))))
        return clocks is None or bool((np.array(clocks) < self.needs).any())

    def is_broken_by_swap(self, first: int, second: int) -> bool:
        """Tell the same of the stream where two neighbours of one unit have changed places."""
        unit = engine_of(self.instructions[first].name)
        if self.conflict(first, second):
            return True
        order = list(range(len(self.instructions)))
        order[first], order[second] = second, first
        clocks = _clocks([self.instructions[index] for index in order], order)
        if clocks is None:
            return True
        found = np.array(clocks)
        others = [other for other in range(4) if other != unit]
        if (found[:, others] < self.needs[:, others]).any():
            return True
        needed, known = self.needs[:, unit], found[:, unit]
        is_either = (needed == first) | (needed == second)
        if (known[~is_either] < needed[~is_either]).any():
            return True
        for index in np.flatnonzero(is_either & (known < second)):
            waits_for_one = known[index] >= first  # the second one, which now comes first
            open_ones = [first] if waits_for_one else [first, second]
            if any(self.conflict(each, int(index)) for each in open_ones):
                return True
        return False


def _clocks(instructions: Sequence[Instruction], names: Sequence[int]) -> list[list[int]] | None:
    """Return for each name the last instruction of each unit that is done for certain before it; None: never ends."""
    before: list[list[int]] = [[] for _ in instructions]
    after: list[list[int]] = [[] for _ in instructions]
    last: dict[int, int] = {}
    units = [engine_of(each.name) for each in instructions]
    edges = [(token.giver, token.taker) for token in tokens_of(instructions)]
    for index, unit in enumerate(units):
        if unit in last:
            edges.append((last[unit], index))
        last[unit] = index
    for giver, taker in edges:
        before[taker].append(giver)
        after[giver].append(taker)
    left = [len(each) for each in before]
    ready = [index for index, count in enumerate(left) if count == 0]
    own = [[-1] * 4 for _ in instructions]
    found: list[list[int]] = [[] for _ in instructions]
    done = 0
    while ready:
        index = ready.pop()
        done += 1
        clock = own[index]
        for giver in before[index]:
            for unit in range(4):
                clock[unit] = max(clock[unit], own[giver][unit])
        found[names[index]] = list(clock)
        clock[units[index]] = index
        for taker in after[index]:
            left[taker] -= 1
            if left[taker] == 0:
                ready.append(taker)
    return found if done == len(instructions) else None
