"""A readable listing of a file's instructions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from nerone import _core
from nerone.compat import zip
from nerone.errors import ModelError
from nerone.instructions.layers import layers_of
from nerone.instructions.program import dpu_subgraphs
from nerone.instructions.stream import UNITS, Instruction
from nerone.instructions.work import Work, work_of

__all__ = ["Line", "disassemble", "text_of"]


@dataclass(frozen=True)
class Line:
    """One instruction of a listing.

    Attributes
    ----------
    subgraph : str
    number : int
        Of the instruction in its program.
    layer : str
        The op that it belongs to, "" where that is not known.
    instruction : Instruction
    work : Work
        Cycles, bytes moved, tokens.
    """

    subgraph: str
    number: int
    layer: str
    instruction: Instruction
    work: Work


def disassemble(file: str | os.PathLike[str], layer: str | None = None) -> Iterator[Line]:
    """List the instructions of all DPU subgraphs.

    Parameters
    ----------
    file : path
        A compiled model.
    layer : str, optional
        Only instructions of layers whose name holds this.

    Raises
    ------
    ModelError
        Where the file has no instructions, or some that cannot be decoded.
    """
    graph = _core.read_xmodel(file)
    parts = dpu_subgraphs(graph)
    if not parts:
        raise ModelError(f"'{file}' has no instructions (mc_code); compile it for a board")
    found = False
    for program, child in parts:
        instructions = program.instructions()
        layers = layers_of(program, instructions, graph, child["ops"])
        rows = zip(layers, instructions, work_of(program, instructions), strict=True)
        for number, (name, instruction, work) in enumerate(rows):
            if layer is None or layer in name:
                found = True
                yield Line(program.subgraph, number, name, instruction, work)
    if not found:
        raise ModelError(f"no instruction of '{file}' belongs to a layer named '{layer}'; see nerone inspect --ops")


def text_of(line: Line) -> str:
    """Return a line of text: number, name, tokens, bytes or cycles, fields that are not 0, layer."""
    each, work = line.instruction, line.work
    tokens = " ".join([f"<{UNITS[unit]}" for unit in work.waits] + [f">{UNITS[unit]}" for unit in work.gives])
    cost = f"{work.moved_bytes} B" if work.moved_bytes else f"{work.cycles} cyc" if work.cycles else ""
    fields = " ".join(f"{name}={value}" for name, value in each.fields.items() if value)
    return f"{line.number:6} {each.name:8} {tokens:24} {cost:>10}  {fields}" + (f"; {line.layer}" if line.layer else "")
