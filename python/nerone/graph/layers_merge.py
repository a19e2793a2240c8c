"""Keras layers that join tensors, and those that take a part of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nerone.compat import zip
from nerone.graph.builder import GraphBuilder
from nerone.graph.composed import Composer
from nerone.graph.graph import Op
from nerone.graph.layer_spec import Handler, LayerSpec, unsupported

__all__ = ["MERGE_LAYERS"]

_ONE_TENSOR = "an element-wise op of one tensor and a constant; use a Rescaling layer"


def _concatenate(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    rank = len(builder.shape(inputs[0])) + 1
    axis = int(spec.config.get("axis", -1)) % rank
    if axis == 0:
        return unsupported(builder, spec, inputs, "concatenation of batches; use another axis")
    return builder.add(Op.CONCAT, inputs, name=spec.name, attrs={"axis": axis})


def _merge(op: Op) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        if len(inputs) < 2:
            return unsupported(builder, spec, inputs, _ONE_TENSOR)
        return builder.add(op, _of_one_rank(builder, spec, inputs), name=spec.name)

    return handler


def _of_one_rank(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> list[str]:
    """Inputs with leading axes of one, as Keras's merging layers see them: a gate (C,) becomes (1, 1, C)."""
    rank = max(len(builder.shape(name)) for name in inputs)
    found = []
    for name in inputs:
        shape = builder.shape(name)
        if len(shape) < rank:
            wide = {"shape": (1,) * (rank - len(shape)) + shape}
            name = builder.add(Op.RESHAPE, [name], name=f"{spec.name}_wide", layer=spec.name, attrs=wide)
        found.append(name)
    return found


def _composed(method: str) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        if len(inputs) < 2:
            return unsupported(builder, spec, inputs, _ONE_TENSOR)
        composer, inputs = Composer(builder, spec.name, spec.name), _of_one_rank(builder, spec, inputs)
        if method == "subtract":
            return composer.subtract(inputs[0], inputs[1])
        name: str = getattr(composer, method)(inputs)
        return name

    return handler


def _over_channels(method: str) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        shape = builder.shape(inputs[0])
        if len(shape) != 3 or spec.config.get("axis") not in (-1, 3, (-1,), (3,), [-1], [3]):
            reason = f"a reduction over axis {spec.config.get('axis')}; use rows and columns, or the channels"
            return unsupported(builder, spec, inputs, reason)
        name = spec.name if spec.config.get("keepdims") else f"{spec.name}_image"
        node: str = getattr(Composer(builder, name, spec.name), method)(inputs[0])
        if spec.config.get("keepdims"):
            return node
        return builder.add(Op.RESHAPE, [node], name=spec.name, attrs={"shape": shape[:2]})

    return handler


def _scaled_sum(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    """Add the first tensor and the scaled second, as keras.applications' InceptionResNetV2 does."""
    composer = Composer(builder, spec.name, spec.name)
    return composer.add([inputs[0], composer.affine(inputs[1], float(spec.config["scale"]), 0.0, "scale")])


def _square(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    return builder.add(Op.MULTIPLY, [inputs[0], inputs[0]], name=spec.name)


def _item(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    shape = builder.shape(inputs[0])
    ranges = _ranges(spec.config.get("key"), (1, *shape))
    if ranges is None or len(shape) != 3 or len(range(*_bounds(ranges[0]))) != 1:
        reason = "an index that is no range of rows, columns or channels of an image; use a Cropping2D layer"
        return unsupported(builder, spec, inputs, reason)
    rows, columns, channels = ranges[1:]
    every = channels == slice(0, shape[2], 1)
    node = inputs[0]
    if every or (rows, columns) != (slice(0, shape[0], 1), slice(0, shape[1], 1)):
        name = spec.name if every else f"{spec.name}_image"
        node = Composer(builder, name, spec.name).crop(node, rows, columns)
    if every:
        return node
    return Composer(builder, spec.name, spec.name).channels(node, range(*_bounds(channels)))


def _bounds(part: slice) -> tuple[int, int, int]:
    return int(part.start), int(part.stop), int(part.step)


def _ranges(key: Any, sizes: Sequence[int]) -> list[slice] | None:
    """An index as one slice with plain numbers per axis; None where it is another kind of index, or empty."""
    parts = list(key) if isinstance(key, (tuple, list)) else [key]
    if Ellipsis in parts:
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(sizes) + 1 - len(parts))
    parts += [slice(None)] * (len(sizes) - len(parts))
    if len(parts) != len(sizes) or not all(isinstance(part, slice) for part in parts):
        return None
    found = [slice(*part.indices(size)) for part, size in zip(parts, sizes, strict=True)]
    return found if all(part.step > 0 and part.start < part.stop for part in found) else None


MERGE_LAYERS: dict[str, Handler] = {
    "Concatenate": _concatenate,
    "Add": _merge(Op.ADD),
    "Multiply": _merge(Op.MULTIPLY),
    "Subtract": _composed("subtract"),
    "Average": _composed("average"),
    "Maximum": _composed("maximum"),
    "Minimum": _composed("minimum"),
    "CustomScaleLayer": _scaled_sum,
    # keras.ops functions
    "Square": _square,
    "GetItem": _item,
    "Mean": _over_channels("channel_mean"),
    "Max": _over_channels("channel_maximum"),
}
