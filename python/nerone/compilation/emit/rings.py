"""The banks of weights and biases as rings: what comes next is loaded behind what is in use."""

from __future__ import annotations

from nerone.compilation.emit.machine import BANK_ROWS

__all__ = ["Ring", "Rings"]


class Ring:
    """Hands out rows one after the other; addresses are cyclic."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, rows: int) -> int:
        """Return the first of some rows."""
        first = self._next
        self._next = (first + rows) % BANK_ROWS
        return first


class Rings:
    """One ring for each kind of bank that is no image bank."""

    def __init__(self) -> None:
        self.weights, self.depthwise, self.biases = Ring(), Ring(), Ring()
