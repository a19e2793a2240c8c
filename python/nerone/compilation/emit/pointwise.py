"""Sums, products, requantization and copies: pixel by pixel, sources in group 0, results in group 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nerone.compat import zip
from nerone.compilation.emit.machine import BANK_ROWS, Machine
from nerone.compilation.emit.program import Access, Instruction, Program, Step, bank_rows
from nerone.compilation.emit.tasks import Copy, Eltwise
from nerone.compilation.emit.transfers import load_line, paired, save_line
from nerone.compilation.emit.views import View

__all__ = ["compute_eltwise", "emit_copy", "emit_eltwise"]

_COLUMNS = 512


def _slices(machine: Machine, channels: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of channels, 256 rows of a pixel at most."""
    most = 256 * machine.channels
    for first in range(0, channels, most):
        yield first, min(most, channels - first)


def _tiles(view: View, room: int, groups: int, lines: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (y, x, lines, columns) of tiles of which two fit the room of a bank, where one pixel is small enough."""
    columns = max(1, min(view.width, _COLUMNS, room // 2 // groups))
    columns = -(-view.width // -(-view.width // columns))
    for x in range(0, view.width, columns):
        for y in range(0, view.height, lines):
            yield y, x, min(lines, view.height - y), min(columns, view.width - x)


def emit_eltwise(machine: Machine, program: Program, task: Eltwise) -> None:
    """Append a sum, a product, or one image with another fix point."""
    for first, count in _slices(machine, task.target.channels):
        sources = tuple(source.slice(first, count) for source in task.sources)
        _emit_slice(machine, program, replace(task, sources=sources, target=task.target.slice(first, count)))


def _emit_slice(machine: Machine, program: Program, task: Eltwise) -> None:
    groups = machine.groups(task.target.channels)
    room = BANK_ROWS // len(task.sources)
    for number, (y, x, lines, columns) in enumerate(_tiles(task.target, room, groups, machine.pixels)):
        base = number % 2 * (room // 2) if 2 * columns * groups <= room else 0
        step = program.step()
        starts = [place * room + base for place in range(len(task.sources))]
        for line in range(lines):
            for source, start in zip(task.sources, starts, strict=True):
                step.loads += load_line(machine, source, y + line, x, columns, line, start, groups)
        compute_eltwise(machine, step, task, (0, machine.pixels), (lines, columns), starts, base)
        saves: list[Instruction] = []
        for line in range(lines):
            saves += save_line(machine, task.target, y + line, x, columns, machine.pixels + line, base, groups)
        step.saves += paired(saves)


def compute_eltwise(
    machine: Machine,
    step: Step,
    task: Eltwise,
    banks: tuple[int, int],
    tile: tuple[int, int],
    starts: list[int],
    base: int,
) -> None:
    """Append the instructions of a tile.

    Parameters
    ----------
    banks : of the first line of the sources, and of the result
    tile : lines and columns
    starts, base : rows of the sources and of the result
    """
    lines, columns = tile
    groups = machine.groups(task.target.channels)
    most = machine.misc_lines if machine.isa == 1 else 1  # as the vendor does
    for first in range(0, lines, most):
        count = min(most, lines - first)
        reads: list[Access] = []
        for number, (start, shift) in enumerate(zip(starts, task.shifts, strict=True)):
            bank = banks[0] + first
            fields = {"bank_in": bank, "in": start, "jump_read": groups, "shift_read": shift, "id": number}
            step.computes.append(Instruction("ELEWINIT", fields | {"jump_read_endl": 1}))
            reads += [access for line in range(count) for access in bank_rows(bank + line, start, columns * groups)]
        bank = banks[1] + first
        fields = {
            "length": columns,
            "act": int(task.relu),
            "type": int(task.product),
            "bank_out": bank,
            "out": base,
            "num": len(task.sources),
            "vpp": count,
            "jump_write": groups,
            "jump_write_endl": 1,
            "shift_write": task.shift,
            "cg": groups,
        }
        writes = [access for line in range(count) for access in bank_rows(bank + line, base, columns * groups)]
        step.computes.append(Instruction("ELEW", fields, reads, writes))


def emit_copy(machine: Machine, program: Program, task: Copy) -> None:
    """Append a copy to one or several places: LOADs and SAVEs alone."""
    for first, count in _slices(machine, task.source.channels):
        source = task.source.slice(first, count)
        targets = [target.slice(first, count) for target in task.targets]
        groups = machine.groups(count)
        for number, (y, x, lines, columns) in enumerate(_tiles(source, BANK_ROWS, groups, machine.pixels)):
            step = program.step()
            base = number % 2 * (BANK_ROWS // 2) if 2 * columns * groups <= BANK_ROWS else 0
            saves: list[Instruction] = []
            for line in range(lines):
                step.loads += load_line(machine, source, y + line, x, columns, line, base, groups)
                for target in targets:
                    saves += save_line(machine, target, y + line, x, columns, line, base, groups)
            step.saves += paired(saves)
