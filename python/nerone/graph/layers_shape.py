"""Keras layers without weights: pools, shapes, merges, and those that do nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nerone.compat import zip
from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Op
from nerone.graph.layer_spec import Handler, LayerSpec, pair, require_channels_last, unsupported
from nerone.graph.padding import same_padding

__all__ = ["SHAPE_LAYERS"]

_PLAIN_STRIDES = {"strides": (1, 1), "pad": (0, 0, 0, 0)}


def _pool(op: Op) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        require_channels_last(spec)
        kernel = pair(spec.config["pool_size"])
        given = spec.config.get("strides")
        strides = kernel if given is None else pair(given)
        height, width, _ = builder.shape(inputs[0])
        pad = (0, 0, 0, 0)
        if spec.config.get("padding", "valid") == "same":
            pad = (*same_padding(height, kernel[0], strides[0]), *same_padding(width, kernel[1], strides[1]))
        attrs: dict[str, Any] = {"kernel": kernel, "strides": strides, "pad": pad}
        if op is Op.AVG_POOL:
            attrs["count_include_pad"] = not any(pad)
        return builder.add(op, inputs, name=spec.name, attrs=attrs)

    return handler


def _global_pool(op: Op) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        require_channels_last(spec)
        height, width, channels = builder.shape(inputs[0])
        attrs: dict[str, Any] = {"kernel": (height, width), "strides": (1, 1), "pad": (0, 0, 0, 0), "global": True}
        if op is Op.AVG_POOL:
            attrs["count_include_pad"] = True
        node = builder.add(op, inputs, name=spec.name, attrs=attrs)
        if spec.config.get("keepdims"):
            return node
        return builder.add(
            Op.RESHAPE, [node], name=f"{spec.name}_flatten", layer=spec.name, attrs={"shape": (channels,)}
        )

    return handler


def _upsampling(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    require_channels_last(spec)
    return _resize(builder, spec, inputs, pair(spec.config["size"]), spec.config.get("interpolation", "nearest"))


def _resizing(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    height, width, _ = builder.shape(inputs[0])
    target = int(spec.config["height"]), int(spec.config["width"])
    method = spec.config.get("interpolation", "bilinear")
    if any(spec.config.get(key) for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")):
        return unsupported(builder, spec, inputs, "a resizing that keeps the aspect or smooths; use the preprocessing")
    if target[0] % height == 0 and target[1] % width == 0:
        return _resize(builder, spec, inputs, (target[0] // height, target[1] // width), method)
    if height % target[0] == 0 and width % target[1] == 0 and method in ("nearest", "bilinear"):
        return _shrink(builder, spec, inputs[0], (height // target[0], width // target[1]), method)
    reason = f"resizing {height}x{width} to {target[0]}x{target[1]} is no whole factor; resize in the preprocessing"
    return unsupported(builder, spec, inputs, reason)


def _shrink(builder: GraphBuilder, spec: LayerSpec, source: str, steps: tuple[int, int], method: str) -> str:
    """Resize down by whole steps: pixels at the centres of blocks, between two of which bilinear averages."""
    taps = [2 if method == "bilinear" and step % 2 == 0 else 1 for step in steps]
    first = [(step - tap + 1) // 2 for step, tap in zip(steps, taps, strict=True)]
    if any(first):
        crop = {"crop": (first[0], 0, first[1], 0)}
        source = builder.add(Op.CROP, [source], name=f"{spec.name}_crop", layer=spec.name, attrs=crop)
    attrs: dict[str, Any] = {"kernel": tuple(taps), "strides": steps, "pad": (0, 0, 0, 0)}
    if taps == [1, 1]:
        return builder.add(Op.MAX_POOL, [source], name=spec.name, attrs=attrs)
    return builder.add(Op.AVG_POOL, [source], name=spec.name, attrs={**attrs, "count_include_pad": True})


def _resize(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str], scale: tuple[int, int], method: str) -> str:
    if method not in ("nearest", "bilinear"):
        return unsupported(builder, spec, inputs, f"interpolation '{method}'; use nearest or bilinear")
    attrs = {"scale": scale, "method": method, "half_pixel_centers": method == "bilinear", "align_corners": False}
    return builder.add(Op.UPSAMPLE, inputs, name=spec.name, attrs=attrs)


def _sides(value: Any) -> tuple[int, int, int, int]:
    """Return Keras's padding or cropping, one number, (height, width) or ((top, bottom), (left, right))."""
    sides = value if isinstance(value, (list, tuple)) else (value, value)
    (top, bottom), (left, right) = (pair(side) for side in sides)
    return top, bottom, left, right


def _zero_padding(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    require_channels_last(spec)
    attrs = {"pad": _sides(spec.config["padding"]), "mode": "constant"}
    return builder.add(Op.PAD, inputs, name=spec.name, attrs=attrs)


def _cropping(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    require_channels_last(spec)
    return builder.add(Op.CROP, inputs, name=spec.name, attrs={"crop": _sides(spec.config["cropping"])})


def _flatten(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    return builder.add(Op.RESHAPE, inputs, name=spec.name, attrs={"shape": (math.prod(builder.shape(inputs[0])),)})


def _reshape(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    target = [int(size) for size in spec.config["target_shape"]]
    if -1 in target:
        known = math.prod(size for size in target if size != -1)
        target[target.index(-1)] = math.prod(builder.shape(inputs[0])) // max(known, 1)
    return builder.add(Op.RESHAPE, inputs, name=spec.name, attrs={"shape": tuple(target)})


def _permute(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    return builder.add(
        Op.PERMUTE, inputs, name=spec.name, attrs={"axes": (0, *(int(axis) for axis in spec.config["dims"]))}
    )


def _identity(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    return builder.add(Op.DROPOUT, inputs, name=spec.name)


# Active while training only; identity at inference.
_INFERENCE_IDENTITIES = (
    "Dropout",
    "SpatialDropout2D",
    "SpatialDropout1D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
)

SHAPE_LAYERS: dict[str, Handler] = {
    "MaxPooling2D": _pool(Op.MAX_POOL),
    "MaxPool2D": _pool(Op.MAX_POOL),
    "AveragePooling2D": _pool(Op.AVG_POOL),
    "AvgPool2D": _pool(Op.AVG_POOL),
    "VitisAveragePooling2D": _pool(Op.AVG_POOL),
    "GlobalAveragePooling2D": _global_pool(Op.AVG_POOL),
    "VitisGlobalAveragePooling2D": _global_pool(Op.AVG_POOL),
    "GlobalMaxPooling2D": _global_pool(Op.MAX_POOL),
    "UpSampling2D": _upsampling,
    "Resizing": _resizing,
    "ZeroPadding2D": _zero_padding,
    "Cropping2D": _cropping,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    **dict.fromkeys(_INFERENCE_IDENTITIES, _identity),
}
