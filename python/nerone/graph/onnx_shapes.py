"""ONNX operators that join, resize, pad and reshape tensors, as nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nerone.graph.graph import Op
from nerone.graph.onnx_values import FIRST, Call, Value

__all__ = ["SHAPE_OPERATORS"]


def _concat(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    orders = {value.order for value in values}
    if len(orders) != 1:
        raise call.refuse("its inputs have different layouts")
    order = orders.pop()
    axis = order[int(call.attrs["axis"]) % len(order)]
    return Value(call.add(Op.CONCAT, [value.node for value in values], {"axis": axis}), order)


def _resize(call: Call) -> Value:
    source = call.image()
    height, width, _ = call.builder.shape(source)
    scales, sizes = (call.constant(index) for index in (2, 3))
    if sizes is not None and sizes.size == 4:
        factors = sizes[2] / height, sizes[3] / width
    elif scales is not None and scales.size == 4:
        factors = float(scales[2]), float(scales[3])
    else:
        raise call.refuse("neither scales nor sizes for four axes")
    mode = call.attrs.get("mode", "nearest")
    place = call.attrs.get("coordinate_transformation_mode", "half_pixel")
    if any(factor != int(factor) or factor < 1 for factor in factors) or mode not in ("nearest", "linear"):
        raise call.refuse(f"'{mode}' by {factors}; use nearest or linear with whole factors")
    near = (place == "asymmetric" and call.attrs.get("nearest_mode") == "floor") or "half_pixel" in place
    if mode == "nearest" and not near:
        raise call.refuse(f"nearest with '{place}'; use asymmetric with floor, or half_pixel")
    attrs = {
        "scale": (int(factors[0]), int(factors[1])),
        "method": "nearest" if mode == "nearest" else "bilinear",
        "half_pixel_centers": mode == "linear" and "half_pixel" in place,
        "align_corners": mode == "linear" and place == "align_corners",
    }
    return Value(call.add(Op.UPSAMPLE, [source], attrs), FIRST)


def _pad(call: Call) -> Value:
    source = call.image()
    amounts = call.weight(1).reshape(-1).astype(int).tolist()
    fill, mode = call.constant(2), call.attrs.get("mode", "constant")
    if len(amounts) != 8 or any(amounts[index] for index in (0, 1, 4, 5)) or min(amounts) < 0:
        raise call.refuse(f"pads {amounts}; only zeros around height and width are supported")
    if mode not in ("constant", "reflect") or (fill is not None and fill.size and float(fill.reshape(())) != 0.0):
        raise call.refuse(f"mode '{mode}' or a fill that is not zero; use zeros or reflect")
    return Value(
        call.add(Op.PAD, [source], {"pad": (amounts[2], amounts[6], amounts[3], amounts[7]), "mode": mode}), FIRST
    )


def _flatten(call: Call) -> Value:
    if call.attrs.get("axis", 1) != 1:
        raise call.refuse("flatten from another axis than 1")
    return _to_vector(call)


def _to_vector(call: Call) -> Value:
    value = call.value()
    shape = call.builder.shape(value.node)
    node = call.add(Op.RESHAPE, [value.node], {"shape": (call.size(value.node),)})
    mixed = value.order == FIRST and shape[0] * shape[1] > 1
    return Value(node, (0, 1), shape if mixed else None)


def _reshape(call: Call) -> Value:
    value = call.value()
    target = call.weight(1).reshape(-1).astype(int).tolist()
    old = [0, *call.builder.shape(value.node)]
    onnx_shape = [old[axis] for axis in value.order]
    target = [onnx_shape[index] if size == 0 and index else size for index, size in enumerate(target)][1:]
    total = call.size(value.node)
    if -1 in target:
        target[target.index(-1)] = total // max(1, -int(np.prod(target)))
    if len(target) == 1:
        return _to_vector(call)
    source = call.natural()
    node = call.add(Op.RESHAPE, [source], {"shape": tuple(target)})
    return Value(node, tuple(range(len(target) + 1)))


def _squeeze(call: Call) -> Value:
    value = call.value()
    shape = call.builder.shape(value.node)
    if value.order != FIRST or shape[:2] != (1, 1):
        raise call.refuse("only (N, C, 1, 1) can be squeezed")
    return Value(call.add(Op.RESHAPE, [value.node], {"shape": shape[-1:]}), (0, 1))


def _unsqueeze(call: Call) -> Value:
    value = call.value()
    axes = call.attrs.get("axes") or call.weight(1).reshape(-1).tolist()
    shape = call.builder.shape(value.node)
    if len(shape) != 1 or sorted(int(axis) % 4 for axis in axes) != [2, 3]:
        raise call.refuse("only (N, C) can be unsqueezed, to (N, C, 1, 1)")
    return Value(call.add(Op.RESHAPE, [value.node], {"shape": (1, 1, *shape)}), FIRST)


def _transpose(call: Call) -> Value:
    value = call.value()
    turn = call.attrs.get("perm", tuple(reversed(range(len(value.order)))))
    return Value(value.node, tuple(value.order[axis] for axis in turn))


def _identity(call: Call) -> Value:
    found = call.inputs[0]
    return found if isinstance(found, Value) else call.value()


SHAPE_OPERATORS: dict[str, Callable[[Call], Value]] = {
    "Concat": _concat,
    "Resize": _resize,
    "Pad": _pad,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Identity": _identity,
    "Dropout": _identity,
}
