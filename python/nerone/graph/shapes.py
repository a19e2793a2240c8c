"""Output shape of every kind of node, without the batch axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.graph import Op
from nerone.graph.padding import conv_output_length

__all__ = ["Shape", "infer_shape"]

Shape = tuple[int, ...]
Weights = Mapping[str, NDArray[np.float32]]
Attrs = Mapping[str, Any]
_MOST_VALUES = 1 << 31


def infer_shape(op: Op, inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    """Return the shape of the output of a node.

    Parameters
    ----------
    op : Op
    inputs : shapes of the node's inputs, without the batch axis
    attrs, weights : those of the node, as listed at :class:`Op`

    Raises
    ------
    ModelError
        The inputs do not fit the op; the message names the shapes.
    """
    rule = _RULES.get(op, _same)
    # A hard sigmoid's scale is a factor.
    for key in ("strides", "dilation", "kernel", *(("scale",) if op is Op.UPSAMPLE else ())):
        if min(attrs.get(key, (1,))) < 1:
            raise ModelError(f"{op.value} has {key} {tuple(attrs[key])}; they must be 1 or more")
    if op in _IMAGE_OPS and any(len(shape) != 3 for shape in inputs):
        raise ModelError(f"{op.value} needs images of shape (height, width, channels), got {inputs[0]}")
    shape = tuple(int(size) for size in rule(inputs, attrs, weights))
    if any(size < 1 for size in shape):
        raise ModelError(f"{op.value} of input {inputs[0]} would have the empty output {shape}; use a larger input")
    if math.prod(shape) > _MOST_VALUES:
        raise ModelError(f"{op.value} would have the output {shape}, more than 2^31 values; use a smaller input")
    return shape


def _same(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    return inputs[0]


def _window(shape: Shape, kernel: Shape, attrs: Attrs) -> tuple[int, int]:
    top, bottom, left, right = attrs["pad"]
    dilation = attrs.get("dilation", (1, 1))
    return (
        conv_output_length(shape[0], kernel[0], attrs["strides"][0], (top, bottom), dilation[0]),
        conv_output_length(shape[1], kernel[1], attrs["strides"][1], (left, right), dilation[1]),
    )


def _check_channels(op: Op, got: int, expected: int) -> None:
    if got != expected:
        raise ModelError(f"{op.value} has a kernel for {expected} input channels, but its input has {got}")


def _conv(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    kernel = weights["kernel"].shape
    _check_channels(Op.CONV2D, inputs[0][2], kernel[2])
    return (*_window(inputs[0], kernel, attrs), kernel[3])


def _depthwise(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    kernel = weights["kernel"].shape
    _check_channels(Op.DEPTHWISE_CONV2D, inputs[0][2], kernel[2])
    return (*_window(inputs[0], kernel, attrs), kernel[2] * kernel[3])


def _transposed(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    kernel = weights["kernel"].shape
    _check_channels(Op.TRANSPOSED_CONV2D, inputs[0][2], kernel[3])
    top, bottom, left, right = attrs["pad"]
    height = (inputs[0][0] - 1) * attrs["strides"][0] + kernel[0] - top - bottom
    width = (inputs[0][1] - 1) * attrs["strides"][1] + kernel[1] - left - right
    return height, width, kernel[2]


def _dense(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    kernel = weights["kernel"].shape
    _check_channels(Op.DENSE, inputs[0][-1], kernel[0])
    return (*inputs[0][:-1], kernel[1])


def _pool(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    return (*_window(inputs[0], attrs["kernel"], attrs), inputs[0][2])


def _broadcast(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    try:
        return np.broadcast_shapes(*inputs)
    except ValueError as error:
        raise ModelError(f"element-wise op cannot join shapes {list(inputs)}") from error


def _concat(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    axis = attrs["axis"] - 1
    rests = {shape[:axis] + shape[axis + 1 :] for shape in inputs}
    if len(rests) != 1:
        raise ModelError(f"concatenation on axis {attrs['axis']} cannot join shapes {list(inputs)}")
    return (*inputs[0][:axis], sum(shape[axis] for shape in inputs), *inputs[0][axis + 1 :])


def _upsample(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    height, width, channels = inputs[0]
    return height * attrs["scale"][0], width * attrs["scale"][1], channels


def _pad(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    top, bottom, left, right = attrs["pad"]
    return inputs[0][0] + top + bottom, inputs[0][1] + left + right, inputs[0][2]


def _crop(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    top, bottom, left, right = attrs["crop"]
    if min(attrs["crop"]) < 0:
        raise ModelError(f"crop {tuple(attrs['crop'])} is negative; use zero padding to enlarge an image")
    return inputs[0][0] - top - bottom, inputs[0][1] - left - right, inputs[0][2]


def _reshape(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    target: Shape = tuple(attrs["shape"])
    if math.prod(target) != math.prod(inputs[0]):
        raise ModelError(f"cannot reshape {inputs[0]} to {target}: the number of values differs")
    return target


def _permute(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    return tuple(inputs[0][axis - 1] for axis in attrs["axes"][1:])


def _given(inputs: Sequence[Shape], attrs: Attrs, weights: Weights) -> Shape:
    return tuple(attrs["shape"])


_RULES: dict[Op, Callable[[Sequence[Shape], Attrs, Weights], Shape]] = {
    Op.INPUT: _given,
    Op.CONV2D: _conv,
    Op.DEPTHWISE_CONV2D: _depthwise,
    Op.TRANSPOSED_CONV2D: _transposed,
    Op.DENSE: _dense,
    Op.MAX_POOL: _pool,
    Op.AVG_POOL: _pool,
    Op.ADD: _broadcast,
    Op.MULTIPLY: _broadcast,
    Op.CONCAT: _concat,
    Op.UPSAMPLE: _upsample,
    Op.CROP: _crop,
    Op.PAD: _pad,
    Op.RESHAPE: _reshape,
    Op.PERMUTE: _permute,
}
_IMAGE_OPS = {
    Op.CONV2D,
    Op.DEPTHWISE_CONV2D,
    Op.TRANSPOSED_CONV2D,
    Op.MAX_POOL,
    Op.AVG_POOL,
    Op.UPSAMPLE,
    Op.CROP,
    Op.PAD,
}
