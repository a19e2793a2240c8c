"""Pools and the hard sigmoid."""

from __future__ import annotations

import numpy as np

from nerone.compilation.emit.legal_context import Legal
from nerone.compilation.emit.ops import Operation
from nerone.compilation.emit.tasks import Eltwise, Pads, Phase, Task, Weights, Window
from nerone.compilation.emit.views import View, dense
from nerone.dpu.arithmetic import average_pool_ratio
from nerone.errors import ModelError

__all__ = ["gated_tasks", "pool_tasks", "reduction_tasks", "sigmoid_tasks"]

_POOL_KERNEL, _POOL_STRIDE = 8, 8  # of ISA0's POOL
_DPTWISE = 16  # kernel and stride of ISA0's DPTWISE


def pool_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the tasks of a pool-fix."""
    source, target = legal.source_view(op), legal.views[op.name]
    whole = bool(op.attrs.get("global", False))
    kernel = (source.height, source.width) if whole else op.pair("kernel")
    stride = (1, 1) if whole else op.pair("stride", kernel)
    pad: Pads = (0, 0, 0, 0) if whole else op.pads()
    power = op.fix_point - legal.source(op).fix_point
    kind = op.text("type", "MAX")
    if not whole:
        legal.check_padding(op, kernel)
    if kernel == (1, 1) and not any(pad):
        view = source.every(stride).crop(0, 0, target.height, target.width)
        return [legal.requantize(op, view, target, power)]
    if kind == "MAX":
        return _max_tasks(legal, op, (source, target), kernel, stride, pad)
    if kind != "AVG":
        raise ModelError(f"op '{op.name}' is a {kind} pool; the DPU has MAX and AVG")
    return _average_tasks(legal, op, (source, target), kernel, stride, pad)


def reduction_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the tasks of a reduction_max over whole lines, columns or both: a max pool of that size."""
    source, target = legal.source_view(op), legal.views[op.name]
    rank = len(legal.source(op).shape)
    axes = {int(axis) % rank + 4 - rank for axis in op.attrs.get("axis", ())}
    if not axes or not axes <= {1, 2} or not target.is_dense:
        raise ModelError(f"op '{op.name}' reduces other axes than lines and columns; leave it to the CPU")
    kernel = (source.height if 1 in axes else 1, source.width if 2 in axes else 1)
    found = dense(
        target.buffer, (source.height // kernel[0], source.width // kernel[1], source.channels), target.offset
    )
    return _max_tasks(legal, op, (source, found), kernel, (1, 1), (0, 0, 0, 0))


def _max_tasks(
    legal: Legal, op: Operation, views: tuple[View, View], kernel: tuple[int, int], stride: tuple[int, int], pad: Pads
) -> list[Task]:
    """Split windows that the instruction does not take: the maximum of maxima of overlapping smaller windows."""
    most = 256 if legal.machine.isa == 1 else _POOL_KERNEL
    most = min(most, 4 * legal.machine.pixels - legal.machine.pixels + 1) if views[1].height > 1 else most
    if max(stride) > (256 if legal.machine.isa == 1 else _POOL_STRIDE):
        raise ModelError(f"op '{op.name}' has a stride of {stride[0]}x{stride[1]}; a POOL takes {_POOL_STRIDE}")
    source, target = views
    tasks: list[Task] = []
    while max(kernel) > most or max(pad[0], pad[2]) > 15:
        part = (min(kernel[0], most), min(kernel[1], most))
        first = (min(pad[0], part[0] - 1), min(pad[1], part[0] - 1), min(pad[2], part[1] - 1), min(pad[3], part[1] - 1))
        height = source.height + first[0] + first[1] - part[0] + 1
        width = source.width + first[2] + first[3] - part[1] + 1
        between = legal.temporary(height, width, source.channels)
        tasks.append(Window(op.name, "max", source, between, (1, 1), (Phase(0, part, first, width),)))
        kernel = (kernel[0] - part[0] + 1, kernel[1] - part[1] + 1)
        pad = (pad[0] - first[0], pad[1] - first[1], pad[2] - first[2], pad[3] - first[3])
        source = between
    shift = legal.window_shift(op, op.fix_point - legal.source(op).fix_point, "the difference of fix points")
    return [*tasks, Window(op.name, "max", source, target, stride, (Phase(0, kernel, pad, target.width),), shift=shift)]


def _average_tasks(
    legal: Legal, op: Operation, views: tuple[View, View], kernel: tuple[int, int], stride: tuple[int, int], pad: Pads
) -> list[Task]:
    """An average is a sum times a factor: ISA1 has it; ISA0 computes it as a depthwise convolution by the factor."""
    source, target = views
    factor, power = average_pool_ratio(kernel)
    phases = (Phase(0, kernel, pad, target.width),)
    fix_point = legal.source(op).fix_point
    if legal.machine.isa == 1:
        shift = legal.window_shift(op, op.fix_point - fix_point - power, "the shift of the average")
        return [Window(op.name, "average", source, target, stride, phases, shift=shift, factor=factor)]
    if max(*kernel, *stride) > _DPTWISE:
        raise ModelError(
            f"op '{op.name}' averages over {kernel[0]}x{kernel[1]} with stride {stride[0]}x{stride[1]}; this DPU "
            f"takes {_DPTWISE}x{_DPTWISE}. Use smaller averages one after the other"
        )
    channels = source.channels
    address = legal.parameters.add(np.full((kernel[0] * kernel[1], channels), factor, np.int8))
    cut = legal.within(op, "the shift of the average", fix_point + power - op.fix_point, 63)
    weights = Weights(address, channels, legal.parameters.zeros(channels), 0, cut, 0)
    return [Window(op.name, "depthwise", source, target, stride, phases, 1, weights)]


def sigmoid_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the task of a hard-sigmoid-fix."""
    return [_sigmoid(legal, op, legal.source_view(op), legal.views[op.name])]


def gated_tasks(legal: Legal, op: Operation, value: View) -> list[Task]:
    """Return the tasks that turn an op's rounded value into its HSIGMOID or HSWISH."""
    target = legal.views[op.name]
    if op.text("nonlinear") == "HSIGMOID":
        return [_sigmoid(legal, op, value, target)]
    gate = legal.temporary(target.height, target.width, target.channels)
    right = int(op.attrs.get("shift_hswish", 0))
    # Two fractional bits of each factor are zero: shifting them out loses nothing.
    spare = max(0, min(4, right - 15))
    shift = legal.scale_shift(op, spare - right, "shift_hswish")
    shifts = (spare - spare // 2, spare // 2)
    return [_sigmoid(legal, op, value, gate), Eltwise(op.name, (value, gate), target, True, shifts, shift, False)]


def _sigmoid(legal: Legal, op: Operation, source: View, target: View) -> Window:
    if legal.machine.isa == 0:
        raise ModelError(
            f"op '{op.name}' is a hard sigmoid, which a DPU of Vitis AI 1.4 does not have; leave it to the CPU, or "
            "take an overlay of Vitis AI 2.5 or later with --vitis-ai"
        )
    shift = legal.within(op, "its shift", int(op.attrs.get("shift_hsigmoid", 0)), 63)
    inside = legal.within(op, "its input's fix point", int(op.attrs.get("hsigmoid_in", 0)), 63)
    phases = (Phase(0, (1, 1), (0, 0, 0, 0), target.width),)
    return Window(op.name, "sigmoid", source, target, (1, 1), phases, shift=shift, factor=inside)
