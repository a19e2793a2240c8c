"""The instruction streams of a compiled file, one for each DPU subgraph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nerone import _core
from nerone.instructions.stream import Instruction, decode

__all__ = ["Program", "dpu_subgraphs", "programs_of"]


@dataclass(frozen=True)
class Program:
    """The instructions of one DPU subgraph.

    Attributes
    ----------
    subgraph : str
        Name of the subgraph.
    fingerprint : int
        Of the DPU that it was compiled for.
    dpu_name : str
        The vendor's name of that DPU.
    streams : tuple of bytes
        `mc_code_preload` where there is one, then `mc_code`.
    registers : mapping of int to bytes
        Contents that stand in the file (weights), by the register's number.
    register_bytes : mapping of int to int
        Sizes of all registers.
    """

    subgraph: str
    fingerprint: int
    dpu_name: str
    streams: tuple[bytes, ...]
    registers: Mapping[int, bytes]
    register_bytes: Mapping[int, int]

    @property
    def version(self) -> int:
        """Of the instruction set."""
        return (self.fingerprint >> 48) & 0xFF

    @property
    def code(self) -> bytes:
        """All streams, one after the other; an END in the middle stops nothing."""
        return b"".join(self.streams)

    def machine(self) -> Mapping[str, Any]:
        """Return size, version, pixels, channels, image_groups, misc_pixels and bank_rows of the DPU."""
        return _core.dpu_machine(self.fingerprint, self.dpu_name)

    def instructions(self) -> list[Instruction]:
        """Decode all streams, one after the other."""
        return [each for stream in self.streams for each in decode(stream, self.version)]


def _number(register: str) -> int:
    return int(register.removeprefix("REG_"))


def _program(subgraph: Mapping[str, Any]) -> Program:
    attrs = subgraph["attrs"]
    streams = tuple(bytes(attrs[key]) for key in ("mc_code_preload", "mc_code") if attrs.get(key))
    contents = {_number(key): bytes(value) for key, value in attrs.get("reg_id_to_parameter_value", {}).items()}
    sizes = {_number(key): int(value) for key, value in attrs.get("reg_id_to_size", {}).items()}
    for register, content in contents.items():
        sizes[register] = max(sizes.get(register, 0), len(content))
    return Program(
        subgraph["name"],
        int(attrs.get("dpu_fingerprint", 0)),
        str(attrs.get("dpu_name", "")),
        streams,
        contents,
        sizes,
    )


def programs_of(file: str | os.PathLike[str] | Mapping[str, Any]) -> list[Program]:
    """Return the programs of a file, or of a graph as `read_xmodel` gives it; empty where it has no instructions.

    Raises
    ------
    ModelError
        Where the file is no usable model.
    """
    graph = file if isinstance(file, Mapping) else _core.read_xmodel(file)
    return [program for program, _ in dpu_subgraphs(graph)]


def dpu_subgraphs(graph: Mapping[str, Any]) -> list[tuple[Program, Mapping[str, Any]]]:
    """Return each program with its subgraph; subgraphs without instructions are left out."""
    return [(_program(each), each) for each in graph["root"]["children"] if each["attrs"].get("mc_code")]
