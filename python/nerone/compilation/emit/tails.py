"""Layers that follow a convolution tile by tile, its output staying in the banks: pools, 1x1 convolutions, sums."""

from __future__ import annotations

from nerone.compilation.emit.machine import BANK_ROWS, Machine
from nerone.compilation.emit.pointwise import compute_eltwise
from nerone.compilation.emit.program import Access, Instruction, Program, Step, bank_rows
from nerone.compilation.emit.rings import Rings
from nerone.compilation.emit.tasks import Eltwise, Task, Window
from nerone.compilation.emit.tiling import Plan, plan_window, sizes
from nerone.compilation.emit.transfers import load_line, save_line
from nerone.compilation.emit.window import Tail
from nerone.compilation.emit.window_codes import Reach, Target, compute, set_up
from nerone.compilation.emit.window_weights import Chunk, load_weights

__all__ = ["find_tail"]


class _SumTail:
    """A sum or product of the tile and of images that are loaded."""

    stride = 1

    def __init__(self, machine: Machine, task: Eltwise, own: int, keep: bool) -> None:
        self.machine, self.task, self.own, self.keep = machine, task, own, keep
        self.groups = machine.groups(task.target.channels)
        self.size = task.target.width * self.groups
        self.rows = self.size * len(task.sources)  # one of them is the tile, its place is the result's

    def emit(self, step: Step, line: int, lines: int, target: Target) -> list[Instruction]:
        """Load the other images, compute, and return the saves of the result."""
        starts, free = [], target.row + self.size
        for number, source in enumerate(self.task.sources):
            if number == self.own:
                starts.append(target.row)
                continue
            starts.append(free)
            for each in range(lines):
                step.loads += load_line(
                    self.machine, source, line + each, 0, source.width, target.bank + each, free, self.groups
                )
            free += self.size
        width = self.task.target.width
        compute_eltwise(self.machine, step, self.task, (target.bank, target.bank), (lines, width), starts, free)
        saves = []
        for each in range(lines):
            saves += save_line(
                self.machine, self.task.target, line + each, 0, width, target.bank + each, free, self.groups
            )
        return saves


class _WindowTail:
    """A pool whose windows do not overlap, or a 1x1 convolution."""

    def __init__(self, machine: Machine, program: Program, rings: Rings, task: Window, keep: bool) -> None:
        self.machine, self.program, self.rings, self.task, self.keep = machine, program, rings, task, keep
        self.stride = task.stride[0]
        self.groups = machine.groups(task.target.channels)
        self.rows = task.target.width * self.groups
        self.chunk: Chunk | None = None

    def emit(self, step: Step, line: int, lines: int, target: Target) -> list[Instruction]:
        """Compute the lines whose windows are complete, and return their saves."""
        task, stride = self.task, self.task.stride[0]
        if task.weights is not None and self.chunk is None:
            self.chunk = load_weights(self.machine, self.rings, task, 0, self.groups, step)
        begin, end = line // stride, min((line + lines) // stride, task.target.height)
        own = Target(target.bank, target.row + target.stride * self._line(), self.groups)
        per = self.machine.pixels if task.kind == "conv" else self.machine.misc_lines
        for first in range(0, end - begin, per):
            count = min(per, end - begin - first)
            reach = self._reach(line, first, count, target)
            set_up(self.machine, self.program, step, task, reach, own, 0)
            for group in range(self.groups if task.kind == "conv" else 1):
                rows = (task.target.width - 1) * self.groups + (1 if task.kind == "conv" else self.groups)
                writes: list[Access] = []
                for each in range(first, first + count):
                    writes += bank_rows(own.bank + each, own.row + group, rows)
                where = (own.bank + first, own.row + group, 1)
                step.computes.append(compute(self.machine, task, reach, where, self.chunk, (group, 0), writes))
        saves = []
        for each in range(end - begin):
            bank, row = own.at(each)
            saves += save_line(self.machine, task.target, begin + each, 0, task.target.width, bank, row, self.groups)
        return saves

    def _line(self) -> int:
        return self.task.source.width * self.machine.groups(self.task.source.channels)

    def _reach(self, line: int, first: int, count: int, target: Target) -> Reach:
        """Describe the windows of some lines, which lie whole in the tile."""
        task, groups = self.task, self.machine.groups(self.task.source.channels)
        (phase,), stride = task.phases, task.stride
        high = (count - 1) * stride[0] + phase.kernel[0]
        wide = (task.target.width - 1) * stride[1] + phase.kernel[1]
        bottom = line + first * stride[0] + high - task.source.height
        reads: list[Access] = []
        for each in range(first * stride[0], first * stride[0] + high):
            bank, row = target.at(each)
            reads += bank_rows(bank, row, self._line())
        return Reach(
            phase,
            count,
            task.target.width,
            target.bank + first,
            0,
            [target.row, 0, 0, 0],
            groups,
            self._line(),
            stride[0],
            (0, bottom, 0, wide - task.source.width),
            reads,
        )


def find_tail(
    machine: Machine, program: Program, rings: Rings, task: Task, follower: Task, keep: bool
) -> tuple[Plan, Tail] | None:
    """Return how a task and the next one are computed together, or None.

    Parameters
    ----------
    keep : whether the task's own output is read by others too
    """
    if not isinstance(task, Window) or task.target.width > 512 or task.rows > 1 or task.step > 1:
        return None
    tail: Tail
    if isinstance(follower, Eltwise):
        own = [number for number, source in enumerate(follower.sources) if source == task.target]
        if len(own) != 1 or any(source.buffer is follower.target.buffer for source in follower.sources):
            return None
        tail = _SumTail(machine, follower, own[0], keep)
    elif isinstance(follower, Window) and follower.source == task.target and _is_local(machine, follower):
        tail = _WindowTail(machine, program, rings, follower, keep)
    else:
        return None
    plan = plan_window(machine, task)
    found = sizes(machine, task)
    line = task.target.width * found.write_groups
    whole = plan.columns >= found.width and plan.groups >= found.write_groups and not plan.fresh
    weights = found.kernel_rows * found.write_groups if task.kind == "conv" else 0
    if isinstance(follower, Window) and follower.kind == "conv":
        weights += machine.groups(follower.target.channels) * found.write_groups
    # Half of the banks: the next tile is computed while this one is saved.
    fits = 2 * (line * tail.stride + tail.rows) <= BANK_ROWS and weights <= BANK_ROWS
    aligned = plan.lines % tail.stride == 0 or plan.lines >= task.target.height
    return (plan, tail) if whole and fits and aligned else None


def _is_local(machine: Machine, follower: Window) -> bool:
    """Whether each window lies in lines that no other window needs, without padding."""
    if len(follower.phases) != 1 or follower.step != 1:
        return False
    (phase,) = follower.phases
    inside = (follower.target.height - 1) * follower.stride[0] + phase.kernel[0] <= follower.source.height
    inside &= (follower.target.width - 1) * follower.stride[1] + phase.kernel[1] <= follower.source.width
    if any(phase.pad) or not inside or follower.source.real:
        return False
    if follower.kind == "conv":
        return phase.kernel == (1, 1) and follower.stride == (1, 1)
    return follower.kind in ("max", "average") and phase.kernel == follower.stride and phase.kernel[0] <= 4
