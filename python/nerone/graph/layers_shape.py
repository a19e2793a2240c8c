"""Keras layers without weights: pools, shapes, merges, and those that do nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

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
    if target[0] % height or target[1] % width:
        reason = f"resizing {height}x{width} to {target[0]}x{target[1]} is no whole factor; resize in the preprocessing"
        return unsupported(builder, spec, inputs, reason)
    scale = target[0] // height, target[1] // width
    return _resize(builder, spec, inputs, scale, spec.config.get("interpolation", "bilinear"))


def _resize(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str], scale: tuple[int, int], method: str) -> str:
    if method not in ("nearest", "bilinear"):
        return unsupported(builder, spec, inputs, f"interpolation '{method}'; use nearest or bilinear")
    attrs = {"scale": scale, "method": method, "half_pixel_centers": method == "bilinear", "align_corners": False}
    return builder.add(Op.UPSAMPLE, inputs, name=spec.name, attrs=attrs)


def _zero_padding(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    require_channels_last(spec)
    padding = spec.config["padding"]
    if isinstance(padding, int):
        padding = ((padding, padding), (padding, padding))
    rows, columns = (pair(side) for side in padding)
    return builder.add(Op.PAD, inputs, name=spec.name, attrs={"pad": (*rows, *columns), "mode": "constant"})


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


def _concatenate(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    rank = len(builder.shape(inputs[0])) + 1
    axis = int(spec.config.get("axis", -1)) % rank
    if axis == 0:
        return unsupported(builder, spec, inputs, "concatenation of batches; use another axis")
    return builder.add(Op.CONCAT, inputs, name=spec.name, attrs={"axis": axis})


def _merge(op: Op) -> Handler:
    def handler(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
        if len(inputs) < 2:
            return unsupported(
                builder, spec, inputs, "an element-wise op of one tensor and a constant; use a Rescaling layer"
            )
        return builder.add(op, inputs, name=spec.name)

    return handler


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
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Concatenate": _concatenate,
    "Add": _merge(Op.ADD),
    "Multiply": _merge(Op.MULTIPLY),
    **dict.fromkeys(_INFERENCE_IDENTITIES, _identity),
}
