"""Convolutions and pools: lines stream through the banks of group 0, tiles of output leave from group 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from nerone.compilation.emit.machine import BANK_ROWS, Machine
from nerone.compilation.emit.program import Access, Instruction, Program, Step, bank_rows
from nerone.compilation.emit.rings import Rings
from nerone.compilation.emit.tasks import Phase, Window
from nerone.compilation.emit.tiling import Plan, plan_window
from nerone.compilation.emit.transfers import load_line, paired, save_line
from nerone.compilation.emit.window_codes import Reach, Target, compute, set_up
from nerone.compilation.emit.window_weights import Chunk, load_weights

__all__ = ["Tail", "emit_window"]


class Tail(Protocol):
    """Computation on a tile while it lies in the banks.

    Attributes
    ----------
    keep : bool, whether the tile itself is saved too
    stride : int, lines of the tile that share a bank
    rows : int, rows behind the tile that it needs
    """

    keep: bool
    stride: int
    rows: int

    def emit(self, step: Step, line: int, lines: int, target: Target) -> list[Instruction]:
        """Append loads and computation for the lines of a tile, and return the saves."""


@dataclass(frozen=True)
class _Tile:
    """Where a tile begins, in columns of a phase and lines of the output, and how large it is."""

    x: int
    y: int
    columns: int
    lines: int
    first_group: int


class _Lines:
    """The lines of the input that lie in the banks of group 0."""

    def __init__(self, machine: Machine, task: Window, plan: Plan) -> None:
        self.machine, self.task, self.plan = machine, task, plan
        self.groups = machine.groups(task.source.channels)
        self.origin, self.first, self.count = 0, 0, 0
        self._held: dict[tuple[int, int], int] = {}  # (bank, place in the bank) -> line

    def begin(self, first: int, count: int) -> None:
        """Start with other columns: nothing is held."""
        self.first, self.count = first, count
        self._held.clear()

    def place(self, line: int) -> tuple[int, int]:
        """Return the bank and row of a line, also of one outside the image."""
        unit, part = divmod(line - self.origin, self.plan.line_stride)
        turn, bank = divmod(unit, self.machine.pixels)
        return bank, self.start(turn) + part * self.count * self.groups

    def start(self, turn: int) -> int:
        """Return the row at which the n-th run through the banks begins."""
        return (turn % self.plan.slots) * self.plan.line_stride * self.count * self.groups

    def need(self, step: Step, begin: int, end: int) -> None:
        """Load the lines from begin to end that are not held."""
        for line in range(max(0, begin), min(end, self.task.source.height)):
            bank, row = self.place(line)
            if self._held.get((bank, row)) != line:
                self._held[bank, row] = line
                step.loads += load_line(
                    self.machine, self.task.source, line, self.first, self.count, bank, row, self.groups
                )


class _Emitter:
    def __init__(
        self, machine: Machine, program: Program, rings: Rings, task: Window, plan: Plan, tail: Tail | None
    ) -> None:
        self.machine, self.program, self.rings, self.task = machine, program, rings, task
        self.plan, self.tail = plan, tail
        self.lines = _Lines(machine, task, self.plan)
        self.chunk: Chunk | None = None
        self.groups = machine.groups(task.target.channels)
        self._turn = 0

    def emit(self) -> None:
        for tile in self._tiles():
            step = self.program.step()
            self._begin(tile)
            self._load(step, tile)
            target = self._target(tile)
            self._compute(step, tile, target)
            saves = [] if self.tail and not self.tail.keep else self._saves(tile, target)
            if self.tail:
                saves += self.tail.emit(step, tile.y, tile.lines, target)
            step.saves += paired(saves)

    def _target(self, tile: _Tile) -> Target:
        """Return where a tile goes: behind the one before, where two have room."""
        many = min(self.plan.groups, self.groups - tile.first_group)
        stride = self.tail.stride if self.tail else 1
        line = self.plan.columns * self.task.step * many
        stacked = stride * self.task.rows
        room = self.plan.columns * self.task.step * self.plan.groups * stacked + (self.tail.rows if self.tail else 0)
        row = self._turn % (BANK_ROWS // room) * room
        self._turn += 1
        return Target(self.machine.pixels, row, self.task.step * many, stride, line if stacked > 1 else 1)

    def _tiles(self) -> Iterator[_Tile]:
        plan, height = self.plan, self.task.grid
        width = max(phase.width for phase in self.task.phases)
        for x in range(0, width, plan.columns):
            for block in range(0, height, plan.block):
                for group in range(0, self.groups, plan.groups):
                    end = min(block + plan.block, height)
                    for y in range(block, end, plan.lines):
                        yield _Tile(x, y, min(plan.columns, width - x), min(plan.lines, end - y), group)

    def _begin(self, tile: _Tile) -> None:
        """Set the columns of the input that the tile needs, and where its first line stands."""
        task = self.task
        firsts = [tile.x * task.stride[1] - phase.pad[2] for phase in task.phases]
        ends = [(tile.x + tile.columns - 1) * task.stride[1] - phase.pad[2] + phase.kernel[1] for phase in task.phases]
        first = min(max(0, min(firsts)), task.source.width - 1)
        end = max(min(task.source.width, max(ends)), first + 1)
        origin = tile.y * task.stride[0] - task.above if self.plan.fresh else 0
        if (first, end - first, origin) != (self.lines.first, self.lines.count, self.lines.origin):
            self.lines.origin = origin
            self.lines.begin(first, end - first)

    def _load(self, step: Step, tile: _Tile) -> None:
        task = self.task
        if task.weights and (self.chunk is None or self.chunk.first_group != tile.first_group):
            self.chunk = load_weights(self.machine, self.rings, task, tile.first_group, self.plan.groups, step)
        begin = tile.y * task.stride[0] - task.above
        self.lines.need(step, begin, begin + (tile.lines - 1) * task.stride[0] + task.reach)

    def _compute(self, step: Step, tile: _Tile, target: Target) -> None:
        """Emit the instructions of all groups, phases and lines of a tile."""
        many = min(self.plan.groups, self.groups - tile.first_group)
        for number, phase in enumerate(self.task.phases):
            columns = min(tile.columns, phase.width - tile.x)
            height = min(tile.lines, self.task.height_of(phase) - tile.y)
            for first in range(0, height if columns > 0 else 0, self.plan.per):
                reach = self._reach(phase, tile, first, min(self.plan.per, height - first), columns)
                set_up(self.machine, self.program, step, self.task, reach, target, first)
                for group in range(many if self.task.kind == "conv" else 1):
                    shift = phase.row * target.line + phase.column * many + group
                    writes = self._written(target, first, reach.lines, shift, columns, many)
                    bank = target.at(first)[0]
                    where = (bank, target.row + shift, target.line if target.stride > 1 else 1)
                    step.computes.append(
                        compute(self.machine, self.task, reach, where, self.chunk, (group, number), writes)
                    )

    def _written(self, target: Target, first: int, lines: int, shift: int, columns: int, many: int) -> list[Access]:
        rows = (columns - 1) * target.column + (1 if self.task.kind == "conv" else many)
        places = [target.at(line) for line in range(first, first + lines)]
        return [access for bank, row in places for access in bank_rows(bank, row + shift, rows)]

    def _reach(self, phase: Phase, tile: _Tile, first: int, lines: int, columns: int) -> Reach:
        """Describe the windows of some lines of a tile."""
        task, plan, held = self.task, self.plan, self.lines
        top = (tile.y + first) * task.stride[0] - phase.pad[0]
        left = tile.x * task.stride[1] - phase.pad[2]
        high = (lines - 1) * task.stride[0] + phase.kernel[0]
        wide = (columns - 1) * task.stride[1] + phase.kernel[1]
        unit, offset = divmod(top - held.origin, plan.line_stride)
        turn, bank = divmod(unit, self.machine.pixels)
        spans = (bank + (offset + high - 1) // plan.line_stride) // self.machine.pixels + 1
        shift = (left - held.first) * held.groups
        starts = [(held.start(turn + number) + shift) % BANK_ROWS for number in range(spans)]
        reads: list[Access] = []
        for line in range(max(0, top), min(top + high, task.source.height)):
            where, row = held.place(line)
            reads += bank_rows(where, row, held.count * held.groups)
        return Reach(
            phase,
            lines,
            columns,
            bank,
            offset,
            starts + [0] * (4 - len(starts)),
            held.groups,
            held.count * held.groups,
            plan.line_stride,
            (max(0, -top), top + high - task.source.height, max(0, -left), left + wide - task.source.width),
            reads,
        )

    def _saves(self, tile: _Tile, target: Target) -> list[Instruction]:
        many = min(self.plan.groups, self.groups - tile.first_group)
        channel = tile.first_group * self.machine.channels
        channels = min(many * self.machine.channels, self.task.target.channels - channel)
        part = self.task.target.slice(channel, channels)
        first = tile.x * self.task.step
        columns = min((tile.x + tile.columns) * self.task.step, part.width) - first
        saves: list[Instruction] = []
        rows = self.task.rows
        for line in range(tile.lines * rows):
            bank, row = target.at(line // rows)
            row += line % rows * (target.line if rows > 1 else 0)
            if tile.y * rows + line < part.height:
                saves += save_line(self.machine, part, tile.y * rows + line, first, columns, bank, row, many)
        return saves


def emit_window(
    machine: Machine, program: Program, rings: Rings, task: Window, plan: Plan | None = None, tail: Tail | None = None
) -> None:
    """Append a convolution, pool or hard sigmoid to a program, and what follows it tile by tile."""
    _Emitter(machine, program, rings, task, plan or plan_window(machine, task), tail).emit()
