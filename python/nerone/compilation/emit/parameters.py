"""REG_0: weights and biases in the vendor's layout, and constants that only the instructions read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError

__all__ = ["Parameters"]

_ALIGNMENT = 16


class Parameters:
    """Collects the bytes of REG_0."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._known: dict[bytes, int] = {}
        self._named: dict[str, bytes] = {}
        self.addresses: dict[str, int] = {}

    def add(self, values: NDArray[np.int8], name: str = "") -> int:
        """Append bytes and return their address; with a name it is the tensor of this constant.

        Equal bytes without a name are stored once, and so is a tensor that several ops read.

        Raises
        ------
        ModelError
            where two ops want other bytes of the same tensor.
        """
        data = np.ascontiguousarray(values, np.int8).tobytes()
        if name in self._named:
            if self._named[name] != data:
                raise ModelError(f"constant '{name}' is read by two ops that need it in two forms; give each its own")
            return self.addresses[name]
        if not name and data in self._known:
            return self._known[data]
        address = self._size
        padded = data + bytes(-len(data) % _ALIGNMENT)
        self._parts.append(padded)
        self._size += len(padded)
        if name:
            self.addresses[name], self._named[name] = address, data
        else:
            self._known[data] = address
        return address

    def zeros(self, count: int) -> int:
        """Return the address of bytes of zero."""
        return self.add(np.zeros(-(-count // 64) * 64, np.int8))

    def to_bytes(self) -> bytes:
        """Return all bytes."""
        return b"".join(self._parts)
