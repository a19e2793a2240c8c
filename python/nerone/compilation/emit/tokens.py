"""Tokens: which instruction waits for which engine, and the halves of paired SAVEs.

One queue of tokens exists per ordered pair of engines. Each engine runs in order, so an instruction that needs the
results of several instructions of another engine waits for the last of them only, and not at all where an earlier
instruction of its own engine has waited for that one or a later one. Puts and takes of a queue are then in the same
order, every take has a put before it in the stream, and all queues end empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.compilation.emit.machine import BANK_ROWS, CONV, LOAD, MISC, SAVE
from nerone.compilation.emit.program import Instruction

__all__ = ["assign_tokens"]

_BITS = (LOAD, SAVE, CONV, MISC)
_PLACE = {bit: place for place, bit in enumerate(_BITS)}


class _Touched:
    """Per engine the last instruction that touched each row of a bank or unit of a register."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self._by_space = {space: np.full((4, size), -1, np.int32) for space, size in sizes.items()}

    def last(self, space: int, first: int, count: int) -> NDArray[np.int32]:
        found: NDArray[np.int32] = self._by_space[space][:, first : first + count].max(axis=1)
        return found

    def mark(self, engine: int, space: int, first: int, count: int, index: int) -> None:
        self._by_space[space][engine, first : first + count] = index


def _sizes(instructions: Sequence[Instruction]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for instruction in instructions:
        for space, first, count in (*instruction.reads, *instruction.writes):
            wanted = BANK_ROWS if space >= 0 else first + count
            sizes[space] = max(sizes.get(space, 0), wanted)
    return sizes


def _needs(instructions: Sequence[Instruction]) -> list[NDArray[np.int32]]:
    """Return for each instruction the last one of each engine that has to be done before it, or -1."""
    sizes = _sizes(instructions)
    read, written = _Touched(sizes), _Touched(sizes)
    needs = []
    for index, instruction in enumerate(instructions):
        need = np.full(4, -1, np.int32)
        for access in instruction.reads:
            np.maximum(need, written.last(*access), out=need)
        for access in instruction.writes:
            np.maximum(need, written.last(*access), out=need)
            np.maximum(need, read.last(*access), out=need)
        engine = _PLACE[instruction.engine]
        for access in instruction.reads:
            read.mark(engine, *access, index)
        for access in instruction.writes:
            written.mark(engine, *access, index)
        needs.append(need)
    return needs


def assign_tokens(instructions: Sequence[Instruction]) -> list[tuple[int, int]]:
    """Return (dpdon, dpdby) of each instruction.

    The two halves of a pair stand side by side: the first waits for both, the second gives for both.
    """
    waits, gives = [0] * len(instructions), [0] * len(instructions)
    seen = np.full((4, 4), -1, np.int64)  # [waiting engine, engine waited for] -> last instruction waited for
    for index, (instruction, need) in enumerate(zip(instructions, _needs(instructions), strict=True)):
        own = _PLACE[instruction.engine]
        taker = index - 1 if instruction.pair == 2 else index
        for other in range(4):
            if other == own or need[other] <= seen[own, other]:
                continue
            giver = int(need[other])
            if instructions[giver].pair == 1:
                giver += 1
            if waits[taker] & _BITS[other]:
                # The half before has a token of this engine already: an older one, which then must not be given.
                gives[int(seen[own, other])] &= ~_BITS[own]
            seen[own, other] = giver
            waits[taker] |= _BITS[other]
            gives[giver] |= _BITS[own]
    for index, instruction in enumerate(instructions):
        waits[index] |= instruction.engine if instruction.pair != 2 else 0
        gives[index] |= instruction.engine if instruction.pair != 1 else 0
    return list(zip(waits, gives, strict=True))
