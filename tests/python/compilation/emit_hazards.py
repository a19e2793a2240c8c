"""Whether tokens order all that must be ordered: reads after writes, writes after reads, writes after writes.

Engines run side by side. An instruction may rely on another engine's only as far as tokens tell it: each token carries
what its giver knows, so a clock per engine says which instructions of every engine are done for certain.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.emit.machine import BANK_ROWS, CONV, LOAD, MISC, SAVE
from nerone.errors import ModelError

__all__ = ["Order", "engine_of"]

_BITS = (LOAD, SAVE, CONV, MISC)
_UNIT = 16  # bytes of DDR that are told apart
_PLACES = {"LOAD": 0, "SAVE": 1, "END": 1, "CONV": 2, "CONVINIT": 2}

Clock = NDArray[np.int64]


def engine_of(name: str) -> int:
    """Return the number of the engine that executes an instruction, 0 to 3."""
    return _PLACES.get(name, 3)


class Order:
    """Follows a stream and counts what no token orders.

    Attributes
    ----------
    unordered : list of sentences, one per instruction that relies on chance
    """

    def __init__(self, banks: int, registers: dict[int, int]) -> None:
        spaces = {(0, bank): BANK_ROWS for bank in range(banks)}
        spaces |= {(1, number): -(-size // _UNIT) + 1 for number, size in registers.items()}
        self._read = {space: np.full((4, size), -1, np.int64) for space, size in spaces.items()}
        self._written = {space: np.full((4, size), -1, np.int64) for space, size in spaces.items()}
        self._queues: dict[tuple[int, int], deque[Clock]] = {}
        self._clocks = np.full((4, 4), -1, np.int64)
        self._index, self._engine, self._name = 0, 0, ""
        self._touched: list[tuple[Any, tuple[int, int], Any]] = []
        self.unordered: list[str] = []

    def begin(self, index: int, name: str, waits: int) -> None:
        """Start an instruction: it takes its tokens."""
        self._index, self._name, self._engine = index, name, engine_of(name)
        self._touched = []
        for other, bit in enumerate(_BITS):
            if other == self._engine or not waits & bit:
                continue
            queue = self._queues.get((other, self._engine))
            if not queue:
                raise ModelError(f"instruction {index} ({name}) waits for a token that no instruction before it gives")
            np.maximum(self._clocks[self._engine], queue.popleft(), out=self._clocks[self._engine])

    def read(self, space: tuple[int, int], where: NDArray[np.int64]) -> None:
        """Note rows of a bank (0, bank) or bytes of a register (1, register) that the instruction reads."""
        where = self._units(space, where)
        self._check(self._written[space], where)
        self._touched.append((self._read, space, where))

    def write(self, space: tuple[int, int], where: NDArray[np.int64]) -> None:
        """Note what the instruction writes."""
        where = self._units(space, where)
        self._check(self._written[space], where)
        self._check(self._read[space], where)
        self._touched.append((self._written, space, where))

    def _units(self, space: tuple[int, int], where: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.unique(where // _UNIT) if space[0] else where.reshape(-1)

    def _check(self, last: NDArray[np.int64], where: NDArray[np.int64]) -> None:
        found, known = last[:, where].max(axis=1), self._clocks[self._engine]
        for other in range(4):
            if other != self._engine and found[other] > known[other]:
                self.unordered.append(
                    f"instruction {self._index} ({self._name}) does not wait for instruction {found[other]}"
                )
                return

    def end(self, gives: int) -> None:
        """Finish the instruction: it gives its tokens."""
        for where, space, places in self._touched:
            where[space][self._engine, places] = self._index
        self._clocks[self._engine, self._engine] = self._index
        for other, bit in enumerate(_BITS):
            if other != self._engine and gives & bit:
                queue = self._queues.setdefault((self._engine, other), deque())
                queue.append(self._clocks[self._engine].copy())

    def left(self) -> int:
        """Return the tokens that nobody took."""
        return sum(len(queue) for queue in self._queues.values())
