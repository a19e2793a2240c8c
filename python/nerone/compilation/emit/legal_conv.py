"""Convolutions as windows: dilated ones by their phases, transposed ones by theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.compilation.emit.legal_context import Legal, activation_of
from nerone.compilation.emit.ops import Operation
from nerone.compilation.emit.tasks import Pads, Phase, Task, Weights, Window
from nerone.compilation.emit.views import View
from nerone.errors import ModelError

__all__ = ["convolution_tasks", "depthwise_tasks", "stored_taps", "transposed_tasks", "weights_of"]

_MASKED, _MASK = 64, 31  # bytes of a piece that masks apply to, and of a mask, at most
_FEW = 4  # channels of an input whose kernel lines are folded: a first layer
_KERNEL = 16  # lines or columns of a CONV, and of ISA0's DPTWISE


def _kernel_limit(legal: Legal, op: Operation, kernel: tuple[int, int], most: int) -> None:
    if max(kernel) > most:
        raise ModelError(
            f"op '{op.name}' has a {kernel[0]}x{kernel[1]} kernel; an instruction of a {legal.machine.size} takes "
            f"{most}x{most}. Take a smaller one, or several layers"
        )


def weights_of(legal: Legal, op: Operation, stored: NDArray[np.int8], address: int, jump: int) -> Weights:
    """Return the weights of an op whose kernel is stored already; add its bias (rule A of the vendor's layout).

    An output finer than the products gets larger weights, where these are small enough: their bytes stand twice.
    """
    source, weight_fix = legal.source(op), legal.sub.constant_fix[op.inputs["weights"][0]]
    product = source.fix_point + weight_fix
    more = max(0, op.fix_point - product)
    if more and np.abs(stored.astype(np.int32)).max(initial=0) << more <= 127:
        address, product = legal.parameters.add(stored << more), product + more
    shift_cut = legal.within(op, "the shift to the output's fix point", product - op.fix_point, 63)
    names = op.inputs.get("bias") or []
    if not names:
        return Weights(address, jump, legal.parameters.zeros(op.image[2]), 0, shift_cut, activation_of(op))
    values, fix_point = legal.sub.constants[names[0]].reshape(-1), legal.sub.constant_fix[names[0]]
    shift = product - more - fix_point + 1
    if shift < 0:
        values = (values.astype(np.int32) >> -shift).astype(np.int8)
    bias = legal.parameters.add(values, names[0])
    shift_bias = legal.within(op, "the bias's shift", max(shift, 0) + more, 63)
    return Weights(address, jump, bias, shift_bias, shift_cut, activation_of(op))


def _dilated(
    source: View, target: View, stride: tuple[int, int], dilation: tuple[int, int], pad: Pads
) -> list[tuple[View, View, Pads]]:
    """Return (source, target, pads) of the ordinary windows that a dilated one consists of."""
    found = []
    for dy in range(min(dilation[0], target.height)):
        for dx in range(min(dilation[1], target.width)):
            part = target.every(dilation, (dy, dx))
            first_y, first_x = dy * stride[0] - pad[0], dx * stride[1] - pad[2]
            residue = (min(first_y % dilation[0], source.height - 1), min(first_x % dilation[1], source.width - 1))
            view = source.every(dilation, residue)
            top, left = -(first_y // dilation[0]), -(first_x // dilation[1])
            found.append((view, part, (top, 0, left, 0)))
    return found


def _windows(legal: Legal, op: Operation, kind: str, weights: Weights) -> list[Task]:
    kernel, stride, dilation, pad = op.pair("kernel"), op.pair("stride"), op.pair("dilation"), op.pads()
    legal.check_padding(op, kernel)
    source, target = legal.source_view(op), legal.views[op.name]
    if kind == "conv" and dilation == (1, 1):
        folded = _folded(legal, op, source, target)
        if folded is not None:
            phases = (Phase(0, (kernel[0], 1), (pad[0], 0, 0, 0), target.width),)
            return [Window(op.name, kind, folded, target, (stride[0], 1), phases, 1, weights)]
    parts = [(source, target, pad)] if dilation == (1, 1) else _dilated(source, target, stride, dilation, pad)
    return [
        Window(op.name, kind, view, part, stride, (Phase(0, kernel, where, part.width),), 1, weights)
        for view, part, where in parts
    ]


def _folded(legal: Legal, op: Operation, source: View, target: View) -> View | None:
    """Return the input with a line of the kernel as the channels of a pixel, where that fills the rows better.

    Pixels overlap then, and the first and last ones stick out of the line, so their LOADs are masked; None where the
    masks' fields cannot hold it.
    """
    (_, kernel), (_, stride), (_, _, left, _) = op.pair("kernel"), op.pair("stride"), op.pads()
    channels, groups = source.channels, legal.machine.groups
    wide = kernel * channels
    fewer = channels <= _FEW and groups(wide) < kernel * groups(channels)
    if kernel == 1 or not fewer or wide > _MASKED or source.pixel != channels or source.real:
        return None
    before, step = left * channels, stride * channels
    behind = [piece * step - before + wide - source.width * channels for piece in range(target.width)]
    outside = [size for size in behind if size > 0]
    if wide < step and (before or outside):
        return None  # masks apply only where a piece is no shorter than the way to the next
    if before > _MASK or len(outside) > 1 or max(outside, default=0) + -wide % legal.machine.channels > _MASK:
        return None
    source.buffer.front = max(source.buffer.front, before)
    source.buffer.back = max(source.buffer.back, max(outside, default=0))
    offset, height = source.offset - before, source.height
    return View(source.buffer, offset, height, target.width, wide, source.line, step, before, source.width * channels)


def convolution_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the tasks of a conv2d-fix."""
    _kernel_limit(legal, op, op.pair("kernel"), _KERNEL)
    name = op.inputs["weights"][0]
    values = legal.sub.constants[name]
    address = legal.parameters.add(values, name)
    return _windows(legal, op, "conv", weights_of(legal, op, values, address, int(np.prod(values.shape[1:]))))


def depthwise_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the tasks of a depthwise-conv2d-fix; with a multiplier it becomes a convolution with many zeros."""
    name = op.inputs["weights"][0]
    values = legal.sub.constants[name]
    multiplier, height, width, channels = values.shape
    address = legal.parameters.add(values, name)
    if multiplier == 1:
        _kernel_limit(legal, op, (height, width), 256 if legal.machine.isa == 1 else _KERNEL)
        return _windows(legal, op, "depthwise", weights_of(legal, op, values, address, channels))
    _kernel_limit(legal, op, (height, width), _KERNEL)
    full = _full(values)
    hidden = legal.parameters.add(full)
    return _windows(legal, op, "conv", weights_of(legal, op, full, hidden, height * width * channels))


def _full(values: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return a depthwise kernel with a multiplier as an ordinary one, with many zeros."""
    multiplier, height, width, channels = values.shape
    full = np.zeros((channels, multiplier, height, width, channels), np.int8)
    for channel in range(channels):
        full[channel, :, :, :, channel] = values[:, :, :, channel]
    return full.reshape(channels * multiplier, height, width, channels)


def transposed_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the task of a transposed convolution: an ordinary one for each place of its stride."""
    name = op.inputs["weights"][0]
    values, kernel, stride = legal.sub.constants[name], op.pair("kernel"), op.pair("stride")
    if op.pair("dilation") != (1, 1):
        raise ModelError(f"op '{op.name}' is a dilated transposed convolution; no DPU has it: leave the dilation out")
    depthwise = op.type.startswith("transposed-depthwise")
    kept = _stored(values, stride)
    address = legal.parameters.add(kept, name)
    if depthwise and values.shape[0] != 1:
        depthwise, values = False, _full(values)
        kept = _stored(values, stride)
        address = legal.parameters.add(kept)
    grown, pad = _grown(values, kernel, stride, op.pads())
    height, width = grown.shape[1:3]
    _kernel_limit(legal, op, (-(-height // stride[0]), -(-width // stride[1])), _KERNEL)
    if grown is not values:
        kept = _stored(grown, stride)
        address = legal.parameters.add(kept)
    channels = values.shape[3]
    weights = weights_of(legal, op, kept, address, channels if depthwise else height * width * channels)
    lines, columns = _axis(height, stride[0], pad[0]), _axis(width, stride[1], pad[2])
    target, order = legal.views[op.name], stored_taps((height, width), stride)
    phases = []
    for dy, (top, rows) in enumerate(lines):
        for dx, (left, taps) in enumerate(columns):
            size = (-(-(target.height - dy) // stride[0]), -(-(target.width - dx) // stride[1]))
            slot = order.index((rows[0], taps[0]))
            if min(size) > 0:
                pads = (top, 0, left, 0)
                phases.append(Phase(dx, (len(rows), len(taps)), pads, size[1], slot, dy, size[0]))
    kind = "depthwise" if depthwise else "conv"
    source = legal.source_view(op)
    return [Window(op.name, kind, source, target, (1, 1), tuple(phases), stride[1], weights, rows=stride[0])]


def stored_taps(kernel: tuple[int, int], stride: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the taps (ky, kx) of a transposed convolution as REG_0 has them: phase by phase, by their first taps."""
    return [
        (ky, kx)
        for first_y in range(stride[0])
        for first_x in range(stride[1])
        for ky in range(first_y, kernel[0], stride[0])
        for kx in range(first_x, kernel[1], stride[1])
    ]


def _stored(values: NDArray[np.int8], stride: tuple[int, int]) -> NDArray[np.int8]:
    """Return a transposed kernel in the order of REG_0 (rule B of the vendor's layout)."""
    order = stored_taps((values.shape[1], values.shape[2]), stride)
    return np.stack([values[:, ky, kx] for ky, kx in order], axis=1)


def _grown(
    values: NDArray[np.int8], kernel: tuple[int, int], stride: tuple[int, int], pad: Pads
) -> tuple[NDArray[np.int8], Pads]:
    """Return a kernel that is no smaller than its stride, and the pads that give the output of before."""
    more = [max(0, step - size) for size, step in zip(kernel, stride, strict=True)]
    if not any(more):
        return values, pad
    grown = np.pad(values, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)))
    return grown, (pad[0] + more[0], pad[1], pad[2] + more[1], pad[3])


def _axis(kernel: int, stride: int, pad: int) -> list[tuple[int, list[int]]]:
    """Return for each phase of an axis the padding before it and its taps."""
    found = []
    for phase in range(stride):
        first = (kernel - 1 - pad - phase) % stride
        found.append(((kernel - 1 - pad - phase - first) // stride, list(range(first, kernel, stride))))
    return found
