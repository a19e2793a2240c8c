"""The fields of the instructions that read a window: CONV, DPTWISE, POOL and ALU with their set-ups."""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compat import zip
from nerone.compilation.emit.machine import BANK_ROWS, Machine
from nerone.compilation.emit.program import Access, Instruction, Program, Step, bank_rows
from nerone.compilation.emit.tasks import Phase, Window
from nerone.compilation.emit.window_weights import Chunk

__all__ = ["Reach", "Target", "compute", "set_up"]

_ALU_MODES = {"depthwise": 0, "average": 2, "max": 3, "sigmoid": 7}
_POOL_TYPES = {"max": 0, "average": 1}


@dataclass(frozen=True)
class Reach:
    """The windows that one instruction reads.

    Attributes
    ----------
    phase : Phase
    lines, columns : int, of output
    bank, offset : int, of the first line of the window
    starts : list of int, in0 to in3
    groups, line_rows : int, rows of a pixel and of a line
    line_stride : int, image lines that share a bank
    outside : lines and columns that the window sticks out (top, bottom, left, right); negative: the image goes on
    reads : rows of banks
    """

    phase: Phase
    lines: int
    columns: int
    bank: int
    offset: int
    starts: list[int]
    groups: int
    line_rows: int
    line_stride: int
    outside: tuple[int, int, int, int]
    reads: list[Access]

    def pads(self, most: int | None) -> dict[str, int]:
        """Return the fields of the padding; at the far ends they saturate at ``most``, or at the kernel."""
        top, bottom, left, right = self.outside
        height, width = self.phase.kernel
        return {
            "pad_t": top,
            "pad_l": left,
            "pad_b": min(height - 1 - bottom, height - 1 if most is None else most),
            "pad_r": min(width - 1 - right, width - 1 if most is None else most),
        }


@dataclass(frozen=True)
class Target:
    """Where the lines of a tile go.

    Attributes
    ----------
    bank, row : int, of the first line
    column : int, rows from one column to the next
    stride, line : int, lines that share a bank, and rows from one of them to the next
    """

    bank: int
    row: int
    column: int
    stride: int = 1
    line: int = 1

    def at(self, line: int) -> tuple[int, int]:
        """Return bank and row of a line."""
        return self.bank + line // self.stride, self.row + line % self.stride * self.line


def set_up(
    machine: Machine, program: Program, step: Step, task: Window, reach: Reach, target: Target, first: int
) -> None:
    """Append the set-up of an instruction that writes a tile from its ``first`` line on, where it changes."""
    kernel_h, kernel_w = reach.phase.kernel
    fields = {
        "jump_read": reach.groups,
        "jump_write": target.column,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": reach.line_stride,
        "stride_w": task.stride[1],
        "stride_offset_in": reach.offset,
        "stride_out": target.stride,
        "stride_offset_out": first % target.stride,
    }
    name = {"conv": "CONVINIT", "depthwise": "DWINIT"}.get(task.kind, "POOLINIT")
    if machine.isa == 1 and task.kind != "conv":
        name = "ALUINIT"
        fields |= {"mode": _ALU_MODES[task.kind], "length": reach.columns, "cg": reach.groups}
        fields |= {"ch_off": _unused(machine, task), "jump_read_w": reach.groups if task.kind == "depthwise" else 0}
    else:
        fields["vpp"] = reach.lines
    if name != "POOLINIT":
        fields |= {"jump_read_endl": reach.line_rows, "jump_write_endl": target.line if target.stride > 1 else 1}
    if task.weights is not None:
        fields |= {"shift_cut": task.weights.shift_cut, "shift_bias": task.weights.shift_bias}
        if name != "DWINIT":
            fields["act"] = task.weights.activation
    else:
        fields["shift_cut"] = task.shift
        if task.kind == "sigmoid":
            fields["shift_bias"] = task.factor
        elif name == "ALUINIT" and task.kind == "average":
            fields["multi"] = task.factor & 0xFF
        elif name == "POOLINIT":
            fields["type"] = _POOL_TYPES[task.kind]
    program.set_up(step, name, fields)


def _unused(machine: Machine, task: Window) -> int:
    return -task.source.channels % machine.channels


def compute(
    machine: Machine,
    task: Window,
    reach: Reach,
    target: tuple[int, int, int],
    chunk: Chunk | None,
    which: tuple[int, int],
    writes: list[Access],
) -> Instruction:
    """Return the instruction that computes some lines.

    ``target`` is the bank, the row, and the rows between lines of a bank; ``which`` the group of the chunk, and the
    phase.
    """
    fields = dict(zip(("in0", "in1", "in2", "in3"), reach.starts, strict=True))
    fields |= {"bank_in": reach.bank, "bank_out": target[0], "out": target[1] % BANK_ROWS}
    reads = list(reach.reads)
    if chunk is not None:
        group, phase = which
        row = chunk.rows[group][phase] % BANK_ROWS
        bias = (chunk.bias + group) % BANK_ROWS
        fields |= {"waddr": row, "baddr": bias}
        bank = machine.depthwise_bank if task.kind == "depthwise" else machine.weight_bank
        many = 1 if task.kind == "conv" else machine.channels
        lanes = min(machine.channels, task.target.channels - (chunk.first_group + group) * machine.channels)
        for lane in range(lanes if task.kind == "conv" else 1):
            reads += bank_rows(bank + lane, row, chunk.lengths[phase])
        reads += bank_rows(machine.bias_bank, bias, 1 if many == 1 else reach.groups)
    if task.kind == "conv":
        fields |= reach.pads(15) | {"cg": reach.groups, "length": reach.columns, "ch_off": _unused(machine, task)}
        return Instruction("CONV", fields, reads, writes)
    if machine.isa == 1:
        fields |= reach.pads(None) | {"vpp": reach.lines}
        return Instruction("ALU", fields, reads, writes)
    fields |= {"cg": reach.groups, "length": reach.columns}
    if task.kind == "depthwise":
        assert task.weights is not None
        fields |= reach.pads(15) | {"act": task.weights.activation, "ch_off": _unused(machine, task)}
        return Instruction("DPTWISE", fields, reads, writes)
    fields |= reach.pads(7) | {"jump_read_endl": reach.line_rows, "jump_write_endl": target[2]}
    fields |= {"ds_kw": reach.phase.kernel[1], "ds_kh": reach.phase.kernel[0]}
    return Instruction("POOL", fields, reads, writes)
