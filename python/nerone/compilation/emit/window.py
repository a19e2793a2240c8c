"""Convolutions and pools: lines stream through the banks of group 0, tiles of output leave from group 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nerone.compilation.emit.machine import BANK_ROWS, Machine
from nerone.compilation.emit.program import Access, Instruction, Program, Step, bank_rows
from nerone.compilation.emit.rings import Rings
from nerone.compilation.emit.tasks import Phase, Window
from nerone.compilation.emit.tiling import Plan, plan_window
from nerone.compilation.emit.transfers import load_line, paired, save_line
from nerone.compilation.emit.window_codes import Reach, compute, set_up
from nerone.compilation.emit.window_weights import Chunk, load_weights

__all__ = ["emit_window"]


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
    def __init__(self, machine: Machine, program: Program, rings: Rings, task: Window) -> None:
        self.machine, self.program, self.rings, self.task = machine, program, rings, task
        self.plan = plan_window(machine, task)
        self.lines = _Lines(machine, task, self.plan)
        self.chunk: Chunk | None = None
        self.groups = machine.groups(task.target.channels)
        self._turn = 0

    def emit(self) -> None:
        for tile in self._tiles():
            step = self.program.step()
            self._begin(tile)
            self._load(step, tile)
            room = self.plan.columns * self.task.step * self.plan.groups
            base = self._turn % (BANK_ROWS // room) * room
            self._turn += 1
            self._compute(step, tile, base)
            self._save(step, tile, base)

    def _tiles(self) -> Iterator[_Tile]:
        plan, height = self.plan, self.task.target.height
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
        origin = tile.y * task.stride[0] - task.phases[0].pad[0] if self.plan.fresh else 0
        if (first, end - first, origin) != (self.lines.first, self.lines.count, self.lines.origin):
            self.lines.origin = origin
            self.lines.begin(first, end - first)

    def _load(self, step: Step, tile: _Tile) -> None:
        task = self.task
        if task.weights and (self.chunk is None or self.chunk.first_group != tile.first_group):
            self.chunk = load_weights(self.machine, self.rings, task, tile.first_group, self.plan.groups, step)
        begin = tile.y * task.stride[0] - task.phases[0].pad[0]
        self.lines.need(step, begin, begin + (tile.lines - 1) * task.stride[0] + task.phases[0].kernel[0])

    def _compute(self, step: Step, tile: _Tile, base: int) -> None:
        """Emit the instructions of all groups, phases and lines of a tile."""
        many = min(self.plan.groups, self.groups - tile.first_group)
        for phase_number, phase in enumerate(self.task.phases):
            columns = min(tile.columns, phase.width - tile.x)
            if columns <= 0:
                continue
            for first in range(0, tile.lines, self.plan.per):
                lines = min(self.plan.per, tile.lines - first)
                reach = self._reach(phase, tile, first, lines, columns)
                set_up(self.machine, self.program, step, self.task, reach, self.task.step * many)
                for group in range(many if self.task.kind == "conv" else 1):
                    out = base + phase.column * many + group
                    bank = self.machine.pixels + first
                    writes = self._written(bank, lines, out, columns, many)
                    step.computes.append(
                        compute(self.machine, self.task, reach, (bank, out), self.chunk, (group, phase_number), writes)
                    )

    def _written(self, bank: int, lines: int, out: int, columns: int, many: int) -> list[Access]:
        rows = (columns - 1) * self.task.step * many + (1 if self.task.kind == "conv" else many)
        return [access for line in range(lines) for access in bank_rows(bank + line, out, rows)]

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

    def _save(self, step: Step, tile: _Tile, base: int) -> None:
        many = min(self.plan.groups, self.groups - tile.first_group)
        channel = tile.first_group * self.machine.channels
        channels = min(many * self.machine.channels, self.task.target.channels - channel)
        part = self.task.target.slice(channel, channels)
        first = tile.x * self.task.step
        columns = min((tile.x + tile.columns) * self.task.step, part.width) - first
        saves: list[Instruction] = []
        for line in range(tile.lines):
            bank = self.machine.pixels + line
            saves += save_line(self.machine, part, tile.y + line, first, columns, bank, base, many)
        step.saves += paired(saves)


def emit_window(machine: Machine, program: Program, rings: Rings, task: Window) -> None:
    """Append a convolution, pool or hard sigmoid to a program."""
    _Emitter(machine, program, rings, task).emit()
