"""Sums, products, and the ops that only move bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nerone.compilation.emit.legal_context import Legal, activation_of
from nerone.compilation.emit.ops import Operation
from nerone.compilation.emit.storage import slots_of
from nerone.compilation.emit.tasks import Copy, Eltwise, Phase, Task, Weights, Window
from nerone.compilation.emit.views import WEIGHTS, Buffer, View, dense
from nerone.errors import ModelError

__all__ = [
    "concat_tasks",
    "downsample_tasks",
    "eltwise_tasks",
    "pad_tasks",
    "reshape_tasks",
    "tile_tasks",
    "upsample_tasks",
]

_SOURCES = 4
_FRACTION = 2  # bits of a sum below its inputs' coarsest step


def _moved(legal: Legal, op: Operation, source: View, target: View, power: int = 0) -> list[Task]:
    """Return the task that brings an image to its place, none where it lies there."""
    if power:
        return [legal.requantize(op, source, target, power)]
    return [] if source == target else [Copy(op.name, source, (target,))]


def _broadcast(op: Operation, view: View, like: View) -> View:
    """Return a view of the size of the output, whose lines or pixels repeat."""
    if view.channels != like.channels:
        raise ModelError(
            f"op '{op.name}' repeats {view.channels} channels {like.channels // view.channels} times; the DPU repeats "
            "lines and columns only"
        )
    line = view.line if view.height == like.height else 0
    pixel = view.pixel if view.width == like.width else 0
    return View(view.buffer, view.offset, like.height, like.width, view.channels, line, pixel)


def eltwise_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the tasks of an eltwise-fix."""
    names, target = op.inputs["input"], legal.views[op.name]
    kind = op.text("type", "ADD")
    if kind not in ("ADD", "MUL"):
        raise ModelError(f"op '{op.name}' is an eltwise {kind}; the DPU has ADD and MUL")
    most = 2 if kind == "MUL" else _SOURCES
    if len(names) > most:
        raise ModelError(f"op '{op.name}' has {len(names)} inputs; the DPU takes {most}: split it into several")
    sources = tuple(_broadcast(op, legal.views[name], target) for name in names)
    positions = [legal.sub.ops[name].fix_point for name in names]
    activation = activation_of(op)
    if activation == 3:
        return _leaky_sum(legal, op, sources, positions)
    if kind == "ADD":
        least = min(positions)
        shifts = tuple(legal.within(op, "the difference of fix points", place - least, 15) for place in positions)
        shift = legal.scale_shift(op, op.fix_point - least, "the shift of the sum")
    else:
        # Two fractional bits of each factor are zero: shifting them out loses nothing.
        power = op.fix_point - sum(positions)
        spare = max(0, min(4, -power - (15 if legal.machine.isa == 1 else 7)))
        shifts = (spare - spare // 2, spare // 2)[: len(names)]
        shift = legal.scale_shift(op, power + spare, "the shift of the product")
    tasks: list[Task] = [Eltwise(op.name, sources, target, kind == "MUL", shifts, shift, activation != 0)]
    if activation == 4:
        between = legal.temporary(target.height, target.width, target.channels)
        tasks = [Eltwise(op.name, sources, between, kind == "MUL", shifts, shift, True)]
        tasks.append(_clamped(legal, op, between, target))
    return tasks


def _leaky_sum(legal: Legal, op: Operation, sources: tuple[View, ...], positions: list[int]) -> list[Task]:
    """A sum with a leaky ReLU as a 1x1 convolution, which has it: the inputs side by side, weights of powers of two."""
    finer = [place - min(positions) for place in positions]
    if op.text("type", "ADD") != "ADD" or max(finer) > _FRACTION:
        raise ModelError(
            f"op '{op.name}' ends in a leaky ReLU, which the DPU fuses with no product, and with a sum only where the "
            f"fix points of its inputs differ by {_FRACTION} at most; use ReLU"
        )
    target = legal.views[op.name]
    channels, count = target.channels, len(sources)
    beside = legal.temporary(target.height, target.width, channels * count)
    copies: list[Task] = [
        Copy(op.name, source, (beside.slice(number * channels, channels),)) for number, source in enumerate(sources)
    ]
    kernel = np.zeros((channels, count, channels), np.int8)
    for number, more in enumerate(finer):
        kernel[np.arange(channels), number, np.arange(channels)] = 1 << (_FRACTION - more)
    cut = legal.within(op, "the shift of the sum", _FRACTION + min(positions) - op.fix_point, 63)
    jump = channels * count
    weights = Weights(legal.parameters.add(kernel), jump, legal.parameters.zeros(channels), 0, cut, 3)
    phases = (Phase(0, (1, 1), (0, 0, 0, 0), target.width),)
    return [*copies, Window(op.name, "conv", beside, target, (1, 1), phases, 1, weights)]


def _clamped(legal: Legal, op: Operation, source: View, target: View) -> Window:
    """ReLU6 of integers: a depthwise convolution by one, which clamps."""
    address = legal.parameters.add(np.ones(source.channels, np.int8))
    weights = Weights(address, source.channels, legal.parameters.zeros(source.channels), 0, 0, 4)
    phases = (Phase(0, (1, 1), (0, 0, 0, 0), target.width),)
    return Window(op.name, "depthwise", source, target, (1, 1), phases, 1, weights)


def concat_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return copies of the inputs that do not lie in place."""
    tasks: list[Task] = []
    for number, part in slots_of(op, legal.views[op.name], legal.sub).items():
        power = op.fix_point - legal.source(op, number).fix_point
        tasks += _moved(legal, op, legal.source_view(op, number), part, power)
    return tasks


def reshape_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return a copy where the input does not lie in place already."""
    source, target = legal.source_view(op), legal.views[op.name]
    if op.fix_point != legal.source(op).fix_point:
        raise ModelError(f"op '{op.name}' is a reshape with another fix point; keep its input's")
    if source.buffer is target.buffer and source.offset == target.offset and source.is_dense and target.is_dense:
        return []
    if target.is_dense:
        return [Copy(op.name, source, (dense(target.buffer, legal.source(op).image, target.offset),))]
    if source.is_dense:
        return [Copy(op.name, dense(source.buffer, op.image, source.offset), (target,))]
    between = legal.temporary(*legal.source(op).image)
    return [Copy(op.name, source, (between,)), Copy(op.name, dense(between.buffer, op.image), (target,))]


def tile_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the copies of a tile-fix: depth to space where `reverse` is set, else space to depth."""
    source, target = legal.source_view(op), legal.views[op.name]
    step = int(op.attrs.get("stride", 0))
    to_space = bool(op.attrs.get("reverse", False))
    coarse, fine = (source, target) if to_space else (target, source)
    if step < 1 or (coarse.height * step, coarse.width * step, coarse.channels) != (
        fine.height,
        fine.width,
        fine.channels * step**2,
    ):
        raise ModelError(f"op '{op.name}' is a tile of {step}x{step} whose sizes do not fit; the model is damaged")
    tasks: list[Task] = []
    for place in range(step**2):
        part = coarse.slice(place * fine.channels, fine.channels)
        pixels = fine.every((step, step), divmod(place, step))
        tasks.append(Copy(op.name, part, (pixels,)) if to_space else Copy(op.name, pixels, (part,)))
    return tasks


def downsample_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return a copy of every n-th line and column."""
    source, target = legal.source_view(op), legal.views[op.name]
    right, down = (float(size) for size in op.attrs["scale"])
    steps = (round(max(down, 1 / down)), round(max(right, 1 / right)))
    view = source.every(steps).crop(0, 0, target.height, target.width)
    return _moved(legal, op, view, target, op.fix_point - legal.source(op).fix_point)


def _nearest(size: int, wanted: int, align: bool, centers: bool) -> list[int]:
    """Return for each output index the input index that XIR's nearest takes."""
    step = np.float32((size - 1) / (wanted - 1)) if align and wanted > 1 else np.float32(size / wanted)
    found = []
    for index in range(wanted):
        place = (np.float32(index) + np.float32(0.5 if centers else 0)) * step
        found.append(min(size - 1, int(math.floor(place + 0.5) if align else math.floor(place))))
    return found


def upsample_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return copies of the input to each place of a nearest upsampling."""
    source, target = legal.source_view(op), legal.views[op.name]
    mode = op.text("mode", "NEAREST")
    if mode != "NEAREST":
        raise ModelError(
            f"op '{op.name}' is a {mode.lower()} upsampling, which the DPU does not have; use nearest, or a transposed "
            "convolution"
        )
    align, centers = bool(op.attrs.get("align_corners")), bool(op.attrs.get("half_pixel_centers"))
    rows = _nearest(source.height, target.height, align, centers)
    columns = _nearest(source.width, target.width, align, centers)
    steps = (target.height // source.height, target.width // source.width)
    plain = all(steps) and rows == [y // steps[0] for y in range(len(rows))]
    plain = plain and columns == [x // steps[1] for x in range(len(columns))]
    if not plain or (steps[0] * source.height, steps[1] * source.width) != (target.height, target.width):
        raise ModelError(
            f"op '{op.name}' upsamples {source.height}x{source.width} to {target.height}x{target.width} in steps that "
            "differ; the DPU repeats each pixel equally often: leave out align_corners"
        )
    targets = tuple(target.every(steps, (y, x)) for y in range(steps[0]) for x in range(steps[1]))
    power = op.fix_point - legal.source(op).fix_point
    if not power:
        return [Copy(op.name, source, targets)]
    between = legal.temporary(source.height, source.width, source.channels)
    return [legal.requantize(op, source, between, power), Copy(op.name, between, targets)]


def pad_tasks(legal: Legal, op: Operation) -> list[Task]:
    """Return the copies that fill the border of a pad-fix, and the input where it does not lie in place."""
    target, source = legal.views[op.name], legal.source_view(op)
    inside = slots_of(op, target, legal.sub)[0]
    if op.fix_point != legal.source(op).fix_point:
        raise ModelError(f"op '{op.name}' is a pad with another fix point; keep its input's")
    tasks = _moved(legal, op, source, inside)
    top, left = (int(op.attrs["paddings"][place]) for place in (2, 4))
    mode = op.text("mode", "CONSTANT")
    if mode == "CONSTANT":
        values = set(np.frombuffer(bytes(op.attrs.get("constant_values") or b""), np.int8)) or {np.int8(0)}
        if len(values) > 1:
            raise ModelError(f"op '{op.name}' pads its sides with different values; pad with one")
        value = int(values.pop())
        border = _border(target, inside, top, left)
        return tasks + [Copy(op.name, _constant(legal, part, value), (part,)) for part in border]
    shift = 1 if mode == "REFLECT" else 0
    columns = [x for x in range(target.width) if not left <= x < left + inside.width]
    for x in columns:
        taken = _mirrored(x - left, inside.width, shift)
        tasks.append(Copy(op.name, inside.crop(0, taken, inside.height, 1), (target.crop(top, x, inside.height, 1),)))
    for y in range(target.height):
        if not top <= y < top + inside.height:
            taken = top + _mirrored(y - top, inside.height, shift)
            tasks.append(Copy(op.name, target.crop(taken, 0, 1, target.width), (target.crop(y, 0, 1, target.width),)))
    return tasks


def _mirrored(index: int, size: int, shift: int) -> int:
    """Return the index inside an axis that a reflected (shift 1) or symmetric (0) padding repeats."""
    return -index - 1 + shift if index < 0 else 2 * size - 1 - index - shift


def _constant(legal: Legal, part: View, value: int) -> View:
    """Return bytes of REG_0 as an image: each line the same."""
    count = part.width * part.channels
    address = legal.parameters.add(np.full(count, value, np.int8)) if value else legal.parameters.zeros(count)
    buffer = Buffer(part.width * part.channels, WEIGHTS, 0)
    return View(buffer, address, part.height, part.width, part.channels, 0, part.channels)


def _border(target: View, inside: View, top: int, left: int) -> Iterator[View]:
    bottom, right = target.height - top - inside.height, target.width - left - inside.width
    for y, x, height, width in (
        (0, 0, top, target.width),
        (top + inside.height, 0, bottom, target.width),
        (top, 0, inside.height, left),
        (top, left + inside.width, inside.height, right),
    ):
        if height and width:
            yield target.crop(y, x, height, width)
