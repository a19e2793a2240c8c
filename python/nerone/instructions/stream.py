"""Between the bytes of `mc_code` and instructions in plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from nerone import _core

__all__ = ["UNITS", "Instruction", "decode", "encode", "unit_of"]

UNITS = {1: "LOAD", 2: "SAVE", 4: "CONV", 8: "MISC"}
"""The units that run side by side, by their bit in `dpdon` and `dpdby`."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a stream.

    Attributes
    ----------
    name : str
        LOAD, SAVE, CONV, CONVINIT, ...
    fields : mapping of str to int
        Values as the engine takes them: where the file stores one less, the one is added.
    dpdon, dpdby : int
        Bits of the units (`UNITS`) that it waits for, and that it gives a token to.
    offset : int
        Bytes from the start of the stream; encoding does not read it.
    """

    name: str
    fields: Mapping[str, int] = field(default_factory=dict)
    dpdon: int = 0
    dpdby: int = 0
    offset: int = 0


def decode(code: bytes, version: int) -> list[Instruction]:
    """Decode a stream of version 0 or 1 of the instruction set.

    Raises
    ------
    ModelError
        Names the first instruction that is none, or that is cut off.
    """
    return [Instruction(*record) for record in _core.decode_instructions(code, version)]


def encode(instructions: Iterable[Instruction], version: int) -> bytes:
    """Encode instructions; a field that is left out takes its smallest value.

    Raises
    ------
    ModelError
        Names the first instruction with an unknown field or a value out of its range.
    """
    records = [(each.name, each.fields, each.dpdon, each.dpdby) for each in instructions]
    return _core.encode_instructions(records, version)


@cache
def _units(version: int) -> dict[str, int]:
    return {each["name"]: each["unit"] for each in _core.instruction_formats(version)}


def unit_of(name: str, version: int) -> int:
    """Return the bit of the unit that executes an instruction."""
    return _units(version)[name]
