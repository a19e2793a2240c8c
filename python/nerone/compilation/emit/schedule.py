"""The order of the stream: a tile's loads run beside the saves of the tile before it."""

from __future__ import annotations

from collections.abc import Sequence

from nerone.compilation.emit.program import Access, Instruction, Step

__all__ = ["schedule"]


def schedule(steps: Sequence[Step]) -> list[Instruction]:
    """Return the instructions of all steps, END last.

    The loads of a step move in front of the saves before it where they read nothing that these write, and write
    nothing that these read; pairs of saves stay together.
    """
    stream: list[Instruction] = []
    pending: list[Instruction] = []
    for step in steps:
        if _overlap(step.loads, pending):
            stream += pending + step.loads
        else:
            stream += _merge(pending, step.loads)
        stream += step.computes
        pending = step.saves
    stream += [*pending, Instruction("END", {})]
    return stream


def _overlap(loads: Sequence[Instruction], saves: Sequence[Instruction]) -> bool:
    written = [access for save in saves for access in save.writes]
    read = [access for load in loads for access in load.reads]
    freed = [access for save in saves for access in save.reads]
    filled = [access for load in loads for access in load.writes]
    return _meet(written, read) or _meet(freed, filled)


def _meet(left: Sequence[Access], right: Sequence[Access]) -> bool:
    spaces: dict[int, list[tuple[int, int]]] = {}
    for space, first, count in left:
        spaces.setdefault(space, []).append((first, first + count))
    return any(
        first < end and begin < first + count for space, first, count in right for begin, end in spaces.get(space, ())
    )


def _merge(saves: Sequence[Instruction], loads: Sequence[Instruction]) -> list[Instruction]:
    """Mix two lists evenly, a pair of saves as one."""
    units: list[list[Instruction]] = []
    for save in saves:
        if save.pair == 2:
            units[-1].append(save)
        else:
            units.append([save])
    if not units:
        return list(loads)
    merged: list[Instruction] = []
    for number, unit in enumerate(units):
        begin, end = (len(loads) * place // len(units) for place in (number, number + 1))
        merged += [*loads[begin:end], *unit]
    return merged
