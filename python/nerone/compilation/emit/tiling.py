"""How a window is cut into tiles: columns, lines, output channels, and in which order they follow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nerone.compilation.emit.machine import BANK_ROWS, WRAPS, Machine
from nerone.compilation.emit.tasks import Window
from nerone.errors import ModelError

__all__ = ["Plan", "plan_window", "sizes"]

_BYTES_PER_CYCLE = 16
_GROUPS = 256  # of a pixel's channels, in the field cg


@dataclass(frozen=True)
class Plan:
    """A tiling.

    Attributes
    ----------
    columns : int, columns of a phase in one tile
    lines : int, lines of the output in one tile, side by side in the banks of a group
    per : int, lines of one instruction
    groups : int, groups of output channels that are computed together, their weights resident
    block : int, lines of the output whose input stays resident while the groups change; the height where they do not
    fresh : bool, whether every tile loads all lines of its own window, from the first bank on
    line_stride : int, image lines that share a bank; the stride, but where there is one line of output
    slots : int, places for such lines in a bank
    """

    columns: int
    lines: int
    per: int
    groups: int
    block: int
    fresh: bool
    line_stride: int
    slots: int


@dataclass(frozen=True)
class _Sizes:
    """Sizes of a window that every tiling needs."""

    machine: Machine
    task: Window

    @property
    def read_groups(self) -> int:
        """Rows of a pixel of the input."""
        return self.machine.groups(self.task.source.channels)

    @property
    def write_groups(self) -> int:
        """Rows of a pixel of the output."""
        return self.machine.groups(self.task.target.channels)

    @property
    def kernel_rows(self) -> int:
        """Rows that one group of output channels takes in the banks of weights."""
        return sum(phase.kernel[0] * phase.kernel[1] for phase in self.task.phases) * self.read_groups

    @property
    def width(self) -> int:
        """Columns of the widest phase."""
        return max(phase.width for phase in self.task.phases)

    def input_columns(self, columns: int) -> int:
        """Return the columns of the input that a tile needs at most."""
        phases = self.task.phases
        extent = max(phase.kernel[1] - phase.pad[2] for phase in phases) + max(phase.pad[2] for phase in phases)
        return min(self.task.source.width, (columns - 1) * self.task.stride[1] + extent)

    def units(self, lines: int, line_stride: int) -> int:
        """Return the banks that the windows of some lines of output span."""
        reach = (lines - 1) * self.task.stride[0] + self.task.reach
        return int((-self.task.above % line_stride + reach - 1) // line_stride + 1)


sizes = _Sizes


def _spans(found: _Sizes, lines: int, tile: int, line_stride: int, fresh: bool) -> int:
    """Return how often the windows of one instruction run through the banks of the group, at most."""
    pixels, units = found.machine.pixels, found.units(lines, line_stride)
    if fresh or found.task.grid <= 1:
        return -(-units // pixels) if fresh else max(1, _end(found, 0, units, line_stride))
    starts = {first % pixels for first in range(0, found.task.grid, lines)}
    return max(_end(found, start, units, line_stride) for start in starts)


def _end(found: _Sizes, line: int, units: int, line_stride: int) -> int:
    first = (line * found.task.stride[0] - found.task.above) // line_stride
    return (first % found.machine.pixels + units - 1) // found.machine.pixels + 1


def _line_strides(found: _Sizes) -> list[int]:
    stride = found.task.stride[0]
    if found.task.grid > 1:
        return [stride]
    most = 8 if found.machine.isa == 0 or found.task.kind == "conv" else 256
    return [size for size in (stride, 2, 4, 8, 16, 32, 64, 128, 256) if stride <= size <= most]


def _choices(size: int) -> list[int]:
    """Return the different ways to cut a size into equal parts, the largest first."""
    return sorted({-(-size // parts) for parts in range(1, size + 1)}, reverse=True)


def _tilings(found: _Sizes) -> Iterator[tuple[float, Plan]]:
    """Yield every tiling that fits, with its estimated cycles."""
    task, machine = found.task, found.machine
    is_conv = task.kind == "conv"
    height = task.grid
    all_groups = found.write_groups
    for line_stride in _line_strides(found):
        for columns in _choices(found.width):
            row = line_stride * found.input_columns(columns) * found.read_groups
            slots = BANK_ROWS // row if row <= BANK_ROWS else 0
            if not slots or columns > 512:
                continue
            for lines in sorted({min(height, machine.pixels >> cut) for cut in range(4)} - {0}, reverse=True):
                per = lines if is_conv else min(lines, machine.misc_lines)
                for fresh in (False, True):
                    tile = per if fresh else lines
                    span = _spans(found, per, tile, line_stride, fresh)
                    whole = _spans(found, tile, tile, line_stride, fresh)
                    if span > WRAPS or whole > slots:
                        continue
                    for groups in _choices(all_groups) if is_conv else [all_groups]:
                        plan = _fit(found, columns, tile, per, groups, fresh, line_stride, slots)
                        if plan:
                            yield _cost(found, plan, whole), plan
                    break


def _fit(
    found: _Sizes, columns: int, lines: int, per: int, groups: int, fresh: bool, line_stride: int, slots: int
) -> Plan | None:
    task = found.task
    if columns * task.step * task.rows * groups > BANK_ROWS or task.step * groups > BANK_ROWS // 2:
        return None
    if task.kind == "conv" and groups * found.kernel_rows > BANK_ROWS:
        return None
    if task.kind == "depthwise" and found.kernel_rows > BANK_ROWS:
        return None
    height, block = task.grid, task.grid
    if fresh:
        block = lines
    elif groups < found.write_groups:
        resident = (slots - 1) * found.machine.pixels * line_stride
        held = slots * found.machine.pixels * line_stride >= task.source.height
        fitting = (resident - task.reach) // task.stride[0] + 1
        block = height if held else max(lines, min(height, fitting // lines * lines))
    return Plan(columns, lines, per, groups, block, fresh, line_stride, slots)


def _cost(found: _Sizes, plan: Plan, span: int) -> float:
    """Estimate cycles: bytes and products side by side, with a surcharge where nothing can overlap."""
    task, source = found.task, found.task.source
    tiles_x, blocks = -(-found.width // plan.columns), -(-task.grid // plan.block)
    chunks = -(-found.write_groups // plan.groups)
    read = found.input_columns(plan.columns) * tiles_x * source.height * source.channels
    if plan.fresh:
        overlap = found.units(plan.lines, plan.line_stride) * plan.line_stride / (plan.lines * task.stride[0])
        read = math.ceil(read * overlap)
    weights = task.target.channels * source.channels * found.kernel_rows / found.read_groups
    weights *= blocks * tiles_x if chunks > 1 else 1
    tiles_y = -(-task.grid // plan.per)
    cycles = tiles_y * found.width * found.kernel_rows * (found.write_groups if task.kind == "conv" else 1)
    moved = (read + (weights if task.kind == "conv" else 0)) / _BYTES_PER_CYCLE
    cost = max(moved, cycles) + 0.3 * min(moved, cycles)
    if 2 * plan.columns * task.step * task.rows * plan.groups > BANK_ROWS:
        cost *= 1.3
    if plan.slots <= span:
        cost *= 1.2
    return cost


def plan_window(machine: Machine, task: Window) -> Plan:
    """Choose the tiling of a window that moves and waits least.

    Raises
    ------
    ModelError
        naming the op whose smallest tile does not fit the banks.
    """
    found = _Sizes(machine, task)
    if max(found.read_groups, found.write_groups if task.kind != "conv" else 0) > _GROUPS:
        raise ModelError(
            f"op '{task.name}' reads {task.source.channels} channels; a {machine.size} takes "
            f"{_GROUPS * machine.channels}: use fewer, or a larger DPU"
        )
    best = min(_tilings(found), key=lambda entry: entry[0], default=None)
    if best is None:
        height, width = task.phases[0].kernel
        raise ModelError(
            f"op '{task.name}': a {height}x{width} window over {task.source.channels} channels does not fit the banks "
            f"of a {machine.size}, not even for one pixel; take a smaller kernel, fewer channels or a larger DPU"
        )
    return best[1]
