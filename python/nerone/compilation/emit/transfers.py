"""LOADs and SAVEs of parts of image lines, in pieces that the fields can hold."""

from __future__ import annotations

from collections.abc import Sequence

from nerone.compat import zip
from nerone.compilation.emit.machine import Machine
from nerone.compilation.emit.program import Instruction, bank_rows, ddr_bytes
from nerone.compilation.emit.views import View

__all__ = ["load", "load_line", "paired", "save_line"]

_PIECES = 1024


def load(
    machine: Machine, register: int, ddr: int, bank: int, row: int, *, pieces: int, jump: int, channels: int, step: int
) -> Instruction:
    """Return a LOAD of equal pieces.

    Parameters
    ----------
    register, ddr : where the first piece stands
    bank, row : where it goes
    pieces, jump, channels : how many, bytes from one to the next, bytes of one
    step : rows from one to the next
    """
    if pieces == 1:
        step = 1
        jump = channels
    fields = {
        "reg": register,
        "ddr": ddr,
        "bank": bank,
        "addr": row,
        "length": pieces,
        "jump_read": jump,
        "jump_write": step,
        "channel": channels,
    }
    covered = (pieces - 1) * step + machine.groups(channels)
    return Instruction(
        "LOAD",
        fields,
        ddr_bytes(register, ddr, (pieces - 1) * jump + channels),
        bank_rows(bank, row, covered),
    )


def load_line(
    machine: Machine, view: View, y: int, x: int, columns: int, bank: int, row: int, groups: int
) -> list[Instruction]:
    """Return the LOADs of some pixels of a line; each pixel takes ``groups`` rows.

    A view whose pixels are all the same one (``pixel`` is 0) is loaded pixel by pixel.
    """
    most = 1 if view.pixel == 0 else _PIECES
    found = []
    for first in range(0, columns, most):
        pieces = min(most, columns - first)
        found.append(
            load(
                machine,
                view.buffer.register,
                view.at(y, x + first),
                bank,
                row + first * groups,
                pieces=pieces,
                jump=view.pixel or view.channels,
                channels=view.channels,
                step=groups,
            )
        )
        if view.real:
            found[-1].fields.update(_masks(machine, view, x + first, pieces))
    return found


def _masks(machine: Machine, view: View, first: int, pieces: int) -> dict[str, int]:
    """Return the fields that mask what sticks out of a line, of overlapping pixels.

    Bytes behind the line are counted from the end of the last row, which the pixel need not fill.
    """
    begin = view.before - first * view.pixel
    ends = [piece * view.pixel - begin + view.channels - view.real for piece in range(pieces)]
    outside = [size for size in ends if size > 0]
    fields = {"pad_start": max(0, begin)}
    if outside:
        fields |= {"pad_end": outside[0] + -view.channels % machine.channels, "pad_idx": len(outside)}
    return fields


def save_line(
    machine: Machine, view: View, y: int, x: int, columns: int, bank: int, row: int, groups: int
) -> list[Instruction]:
    """Return the SAVEs of some pixels of a line, which stand ``groups`` rows apart."""
    found = []
    for first in range(0, columns, _PIECES):
        pieces = min(_PIECES, columns - first)
        ddr, start = view.at(y, x + first), row + first * groups
        fields = {
            "reg": view.buffer.register,
            "ddr": ddr,
            "bank": bank,
            "addr": start,
            "length": pieces,
            "jump_write": view.pixel if pieces > 1 else view.channels,
            "jump_read": groups if pieces > 1 else 1,
            "channel": view.channels,
        }
        covered = (pieces - 1) * groups + machine.groups(view.channels)
        reads, writes = bank_rows(bank, start, covered), view.access(ddr, pieces, view.pixel, view.channels)
        found.append(Instruction("SAVE", fields, reads, writes))
    return found


def paired(saves: Sequence[Instruction]) -> list[Instruction]:
    """Mark the SAVEs of a step as pairs, the last one single where their number is odd."""
    for first, second in zip(saves[::2], saves[1::2], strict=False):
        first.pair, second.pair = 1, 2
        second.fields["hp"] = 1
    return list(saves)
