"""Keras layers with weights: convolutions, dense, batch normalization, rescaling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.builder import GraphBuilder
from nerone.graph.composed import Composer
from nerone.graph.graph import Op
from nerone.graph.layer_spec import Handler, LayerSpec, pair, require_channels_last, unsupported
from nerone.graph.layers_activation import activation_name, add_activation
from nerone.graph.padding import same_padding, transposed_padding

__all__ = ["WEIGHTED_LAYERS", "ungrouped"]

Array = NDArray[Any]


def _window_attrs(builder: GraphBuilder, spec: LayerSpec, source: str, kernel: tuple[int, int]) -> dict[str, Any]:
    strides = pair(spec.config.get("strides", 1))
    dilation = pair(spec.config.get("dilation_rate", 1))
    pad = (0, 0, 0, 0)
    if spec.config.get("padding", "valid") == "same":
        height, width, _ = builder.shape(source)
        rows = same_padding(height, kernel[0], strides[0], dilation[0])
        columns = same_padding(width, kernel[1], strides[1], dilation[1])
        pad = (*rows, *columns)
    return {"strides": strides, "pad": pad, "dilation": dilation}


def _not_an_image(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str | None:
    require_channels_last(spec)
    shape = builder.shape(inputs[0])
    if len(shape) == 3:
        return None
    return unsupported(
        builder, spec, inputs, f"its input has shape {shape}; only images (height, width, channels) are supported"
    )


def _finish(builder: GraphBuilder, spec: LayerSpec, node: str) -> str:
    activation = spec.config.get("activation")
    return add_activation(builder, spec, node, f"{spec.name}_{activation_name(activation)}", activation)


def _conv(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    refused = _not_an_image(builder, spec, inputs)
    if refused:
        return refused
    kernel, bias = spec.kernel("kernel"), spec.weight("bias")
    attrs = _window_attrs(builder, spec, inputs[0], kernel.shape[:2])
    groups = int(spec.config.get("groups", 1))
    op, kernel = (Op.CONV2D, kernel) if groups == 1 else ungrouped(kernel, groups)
    node = builder.add(op, inputs, name=spec.name, attrs=attrs, weights={"kernel": kernel, "bias": bias})
    return _finish(builder, spec, node)


def ungrouped(kernel: Array, groups: int) -> tuple[Op, Array]:
    """Return a grouped kernel (Kh, Kw, Ci / groups, Co) as an equal depthwise or dense one.

    Raises
    ------
    ModelError
        The groups do not divide the filters.
    """
    height, width, depth, filters = kernel.shape
    if groups < 1 or filters % groups:
        raise ModelError(f"{groups} groups do not divide {filters} filters; give a divisor")
    if depth == 1:
        return Op.DEPTHWISE_CONV2D, kernel.reshape(height, width, groups, filters // groups)
    full = np.zeros((height, width, depth * groups, filters), np.float32)
    step = filters // groups
    for group in range(groups):
        outputs = slice(group * step, (group + 1) * step)
        full[:, :, group * depth : (group + 1) * depth, outputs] = kernel[:, :, :, outputs]
    return Op.CONV2D, full


def _depthwise(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    refused = _not_an_image(builder, spec, inputs)
    if refused:
        return refused
    kernel = spec.kernel("depthwise_kernel", "kernel")
    attrs = _window_attrs(builder, spec, inputs[0], kernel.shape[:2])
    weights = {"kernel": kernel, "bias": spec.weight("bias")}
    node = builder.add(Op.DEPTHWISE_CONV2D, inputs, name=spec.name, attrs=attrs, weights=weights)
    return _finish(builder, spec, node)


def _separable(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    refused = _not_an_image(builder, spec, inputs)
    if refused:
        return refused
    depthwise = spec.kernel("depthwise_kernel")
    attrs = _window_attrs(builder, spec, inputs[0], depthwise.shape[:2])
    first = builder.add(
        Op.DEPTHWISE_CONV2D,
        inputs,
        name=f"{spec.name}_depthwise",
        layer=spec.name,
        attrs=attrs,
        weights={"kernel": depthwise},
    )
    point = {"kernel": spec.kernel("pointwise_kernel"), "bias": spec.weight("bias")}
    plain = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
    node = builder.add(Op.CONV2D, [first], name=spec.name, attrs=plain, weights=point)
    return _finish(builder, spec, node)


def _transposed(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    refused = _not_an_image(builder, spec, inputs)
    if refused:
        return refused
    if pair(spec.config.get("dilation_rate", 1)) != (1, 1):
        return unsupported(builder, spec, inputs, "a dilated transposed convolution; use dilation_rate=1")
    kernel = spec.kernel("kernel")
    strides = pair(spec.config.get("strides", 1))
    same = spec.config.get("padding", "valid") == "same"
    extra = spec.config.get("output_padding")
    extras = (None, None) if extra is None else pair(extra)
    pads: list[int] = []
    grow = [0, 0]
    for axis in (0, 1):
        length = builder.shape(inputs[0])[axis]
        output = _transposed_length(length, kernel.shape[axis], strides[axis], extras[axis], same=same)
        before, after, grow[axis] = transposed_padding(length, kernel.shape[axis], strides[axis], output, same=same)
        pads += [before, after]
    kernel = np.pad(kernel, ((0, grow[0]), (0, grow[1]), (0, 0), (0, 0)))
    attrs = {"strides": strides, "pad": tuple(pads)}
    weights = {"kernel": kernel, "bias": spec.weight("bias")}
    node = builder.add(Op.TRANSPOSED_CONV2D, inputs, name=spec.name, attrs=attrs, weights=weights)
    return _finish(builder, spec, node)


def _transposed_length(length: int, kernel: int, stride: int, extra: int | None, *, same: bool) -> int:
    # Source: Keras, Conv2DTranspose, "output_padding": https://keras.io/api/layers/convolution_layers/convolution2d_transpose/
    if extra is None:
        return length * stride if same else length * stride + max(kernel - stride, 0)
    return (length - 1) * stride + kernel + extra - (2 * (kernel // 2) if same else 0)


def _dense(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    weights = {"kernel": spec.kernel("kernel"), "bias": spec.weight("bias")}
    return _finish(builder, spec, builder.add(Op.DENSE, inputs, name=spec.name, weights=weights))


def _batch_norm(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    axis = spec.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    rank = len(builder.shape(inputs[0])) + 1
    if int(axis) % rank != rank - 1:
        return unsupported(builder, spec, inputs, f"batch normalization over axis {axis}; use the last axis")
    weights = {
        "gamma": spec.weight("gamma"),
        "beta": spec.weight("beta"),
        "mean": spec.kernel("moving_mean"),
        "variance": spec.kernel("moving_variance"),
    }
    attrs = {"epsilon": float(spec.config.get("epsilon", 1e-3))}
    return builder.add(Op.BATCH_NORM, inputs, name=spec.name, attrs=attrs, weights=weights)


def _affine(builder: GraphBuilder, spec: LayerSpec, source: str, scale: Array, offset: Array) -> str:
    return Composer(builder, spec.name, spec.name).affine(source, scale, offset)


def _rescaling(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    scale = np.asarray(spec.config.get("scale", 1.0), np.float32)
    offset = np.asarray(spec.config.get("offset", 0.0), np.float32)
    if scale.size not in (1, builder.shape(inputs[0])[-1]) or offset.size not in (1, builder.shape(inputs[0])[-1]):
        return unsupported(builder, spec, inputs, "a rescaling that is not one number per channel")
    return _affine(builder, spec, inputs[0], scale.reshape(-1), offset.reshape(-1))


def _normalization(builder: GraphBuilder, spec: LayerSpec, inputs: Sequence[str]) -> str:
    mean = spec.config.get("mean") if spec.config.get("mean") is not None else spec.weight("mean")
    variance = spec.config.get("variance") if spec.config.get("variance") is not None else spec.weight("variance")
    if mean is None or variance is None:
        return unsupported(
            builder, spec, inputs, "a Normalization that was never adapted; call adapt() or give mean and variance"
        )
    centre = np.asarray(mean, np.float32).reshape(-1)
    # Keras: (x - mean) / max(sqrt(variance), epsilon), epsilon = 1e-7.
    spread = np.maximum(np.sqrt(np.asarray(variance, np.float32)), 1e-7).reshape(-1)
    channels = builder.shape(inputs[0])[-1]
    if centre.size not in (1, channels) or spread.size not in (1, channels):
        return unsupported(builder, spec, inputs, "a Normalization that is not one mean per channel; use axis=-1")
    if spec.config.get("invert"):
        return _affine(builder, spec, inputs[0], spread, centre)
    return _affine(builder, spec, inputs[0], 1.0 / spread, -centre / spread)


WEIGHTED_LAYERS: dict[str, Handler] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "SyncBatchNormalization": _batch_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
}
