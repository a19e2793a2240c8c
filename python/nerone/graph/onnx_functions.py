"""ONNX operators that the DPU has no op for but whose value it can compose, and slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Union

import numpy as np

from nerone.compat import zip
from nerone.graph.composed import Composer
from nerone.graph.graph import Op
from nerone.graph.onnx_values import FIRST, Call, Value, channel_vector

__all__ = ["FUNCTION_OPERATORS", "over_channels", "subtract"]

Handler = Callable[[Call], Union[Value, list[Value]]]


def _composer(call: Call, suffix: str = "") -> Composer:
    return Composer(call.builder, f"{call.name}_{suffix}" if suffix else call.name, call.name)


def _tensors(call: Call) -> tuple[list[str], tuple[int, ...]]:
    """Nodes of all inputs in one layout, and that layout."""
    values = [call.value(index) for index in range(len(call.inputs))]
    if len({value.order for value in values}) == 1:
        return [value.node for value in values], values[0].order
    nodes = [call.natural(index) for index in range(len(values))]
    return nodes, tuple(range(max(len(value.order) for value in values)))


def subtract(call: Call) -> Value:
    """Difference of two computed tensors."""
    nodes, order = _tensors(call)
    return Value(_composer(call).subtract(*nodes), order)


def over_channels(call: Call) -> Value:
    """Mean or maximum over the channels of an image, whose axis stays."""
    composer, source = _composer(call), call.image()
    node = composer.channel_mean(source) if call.kind == "ReduceMean" else composer.channel_maximum(source)
    return Value(node, FIRST)


def _mean(call: Call) -> Value:
    nodes, order = _tensors(call)
    return Value(_composer(call).average(nodes), order)


def _extreme(kind: str) -> Handler:
    def handler(call: Call) -> Value:
        constants = [index for index, item in enumerate(call.inputs) if not isinstance(item, Value)]
        if not constants:
            nodes, order = _tensors(call)
            return Value(getattr(_composer(call), "maximum" if kind == "Max" else "minimum")(nodes), order)
        limit = call.weight(constants[0])
        if len(call.inputs) != 2 or limit.size != 1:
            raise call.refuse("a limit that is not one number")
        value, number = call.value(1 - constants[0]), float(limit.reshape(()))
        limits = (number, None) if kind == "Max" else (None, number)
        return Value(_composer(call).clip(value.node, *limits), value.order)

    return handler


def _clip(call: Call) -> Value:
    limits = [call.constant(index) for index in (1, 2)]
    low, high = (None if limit is None or not limit.size else float(limit.reshape(())) for limit in limits)
    value = call.value()
    if low is None and high is None:
        return value
    if low == 0.0 and high in (None, 6.0):
        return Value(call.add(Op.RELU if high is None else Op.RELU6, [value.node]), value.order)
    if low is not None and high is not None and not low < high:
        raise call.refuse(f"a clip to {low:g} .. {high:g}; the first limit must be lower")
    return Value(_composer(call).clip(value.node, low, high), value.order)


def _hard_sigmoid(call: Call) -> Value:
    value = call.value()
    alpha, beta = float(call.attrs.get("alpha", 0.2)), float(call.attrs.get("beta", 0.5))
    source = value.node
    if abs(alpha - 1 / 6) > 1e-4 or abs(beta - 0.5) > 1e-4:
        # clip(alpha * x + beta, 0, 1) is the hard sigmoid, relu6(z + 3) / 6, of z = 6 * alpha * x + 6 * beta - 3.
        source = _composer(call, "scaled").affine(source, 6.0 * alpha, 6.0 * beta - 3.0)
    return Value(call.add(Op.HARD_SIGMOID, [source]), value.order)


def _prelu(call: Call) -> Value:
    value = call.value()
    slope = channel_vector(call, np.asarray(call.weight(1), np.float32), value)
    if slope is None:
        raise call.refuse("a slope that is not one number per channel")
    return Value(_composer(call).prelu(value.node, slope), value.order)


def _negative(call: Call) -> Value:
    value = call.value()
    return Value(_composer(call).affine(value.node, -1.0, 0.0), value.order)


def _elu(call: Call) -> Value:
    value = call.value()
    return Value(call.add(Op.ELU, [value.node], {"alpha": float(call.attrs.get("alpha", 1.0))}), value.order)


def _selu(call: Call) -> Value:
    value = call.value()
    # Source: ONNX, operator Selu, the defaults; other constants than these have no XIR op.
    own = [float(call.attrs.get(key, fallback)) for key, fallback in (("alpha", 1.67326324), ("gamma", 1.05070098))]
    if abs(own[0] - 1.67326324) > 1e-4 or abs(own[1] - 1.05070098) > 1e-4:
        raise call.refuse(f"alpha={own[0]:g} and gamma={own[1]:g}; use the defaults")
    return Value(call.add(Op.SELU, [value.node]), value.order)


def _gelu(call: Call) -> Value:
    value = call.value()
    approximate = call.attrs.get("approximate", "none") == "tanh"
    return Value(call.add(Op.GELU, [value.node], {"approximate": approximate}), value.order)


def _slice(call: Call) -> Value:
    source = call.image()
    starts, ends = (call.weight(index).reshape(-1).astype(int).tolist() for index in (1, 2))
    given = [call.constant(index) for index in (3, 4)]
    axes = list(range(len(starts))) if given[0] is None else [int(axis) % 4 for axis in given[0].reshape(-1)]
    steps = [1] * len(starts) if given[1] is None else [int(step) for step in given[1].reshape(-1)]
    height, width, channels = call.builder.shape(source)
    found = [slice(0, size, 1) for size in (1, channels, height, width)]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = found[axis].stop
        if step < 1 or slice(start, end).indices(size)[0] >= slice(start, end).indices(size)[1]:
            raise call.refuse(f"it takes {start} to {end} by {step} of {size}; nothing is left, or it runs backwards")
        found[axis] = slice(*slice(start, end, step).indices(size))
    return Value(_part(call, source, found[2:], found[1], channels), call.value().order)


def _split(call: Call) -> list[Value]:
    source, shape = call.image(), call.builder.shape(call.image())
    axis = int(call.attrs.get("axis", 0)) % 4
    size = (1, shape[2], shape[0], shape[1])[axis]
    given = call.attrs.get("split") if call.constant(1) is None else call.weight(1).reshape(-1).tolist()
    each = -(-size // call.outputs)
    sizes = [int(part) for part in given] if given else [min(each, size - each * n) for n in range(call.outputs)]
    if axis == 0 or sum(sizes) != size or min(sizes) < 1 or len(sizes) != call.outputs:
        raise call.refuse(f"parts {sizes} of axis {axis} with {size}; use the channels, height or width")
    values, start = [], 0
    for number, part in enumerate(sizes):
        ranges = [slice(0, shape[0], 1), slice(0, shape[1], 1), slice(0, shape[2], 1)]
        ranges[(axis - 2) % 3] = slice(start, start + part, 1)
        piece = replace(call, name=f"{call.name}_part{number}")
        values.append(Value(_part(piece, source, ranges[:2], ranges[2], shape[2]), FIRST))
        start += part
    return values


def _part(call: Call, source: str, image: Sequence[slice], taken: slice, channels: int) -> str:
    height, width, _ = call.builder.shape(source)
    every = taken == slice(0, channels, 1)
    if every or list(image) != [slice(0, height, 1), slice(0, width, 1)]:
        source = _composer(call, "" if every else "image").crop(source, *image)
    if every:
        return source
    return _composer(call).channels(source, range(taken.start, taken.stop, taken.step))


FUNCTION_OPERATORS: dict[str, Handler] = {
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "PRelu": _prelu,
    "Elu": _elu,
    "Selu": _selu,
    "Gelu": _gelu,
    "Neg": _negative,
    "Max": _extreme("Max"),
    "Min": _extreme("Min"),
    "Mean": _mean,
    "Slice": _slice,
    "Split": _split,
}
