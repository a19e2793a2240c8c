"""Every node kind as a float op of a CPU subgraph, in XIR's names."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.lowering.context import Context
from nerone.compilation.lowering.convolution import convolution_macs, image_shape, kernel_ohwi
from nerone.compilation.xir import XirOp
from nerone.dpu.arithmetic import fake_quantize
from nerone.graph import Node, Op

__all__ = ["CPU_OPS", "crop_attrs", "real_weights"]

_SIMPLE = {
    Op.RELU: "relu",
    Op.RELU6: "relu6",
    Op.SIGMOID: "sigmoid",
    Op.HARD_SIGMOID: "hard-sigmoid",
    Op.SWISH: "swish",
    Op.HARD_SWISH: "hard-swish",
    Op.TANH: "tanh",
    Op.SELU: "selu",
    Op.GELU: "gelu",
    Op.ADD: "add",
    Op.MULTIPLY: "mul",
}
_CONVOLUTIONS = {
    Op.CONV2D: "conv2d",
    Op.DEPTHWISE_CONV2D: "depthwise-conv2d",
    Op.TRANSPOSED_CONV2D: "transposed-conv2d",
}


def _inputs(context: Context, node: Node) -> dict[str, list[str]]:
    return {"input": [context.real(name).name for name in node.inputs]}


def _add(context: Context, node: Node, kind: str, **attrs: Any) -> XirOp:
    return context.add(node.name, kind, (1, *node.shape), _inputs(context, node), None, **attrs)


def _simple(context: Context, node: Node) -> XirOp:
    return _add(context, node, _SIMPLE[node.op])


def _leaky_relu(context: Context, node: Node) -> XirOp:
    return _add(context, node, "leaky-relu", alpha=float(node.attrs["alpha"]))


def _elu(context: Context, node: Node) -> XirOp:
    return _add(context, node, "elu", alpha=float(node.attrs.get("alpha", 1.0)))


def _softmax(context: Context, node: Node) -> XirOp:
    return _add(context, node, "softmax", axis=-1)


def _concat(context: Context, node: Node) -> XirOp:
    return _add(context, node, "concat", axis=int(node.attrs["axis"]) % (len(node.shape) + 1))


def _permute(context: Context, node: Node) -> XirOp:
    return _add(context, node, "transpose", order=[int(axis) for axis in node.attrs["axes"]])


def _reshape(context: Context, node: Node) -> XirOp:
    return _add(context, node, "reshape", shape=[1, *(int(size) for size in node.shape)])


def _pad(context: Context, node: Node) -> XirOp:
    top, bottom, left, right = (int(size) for size in node.attrs["pad"])
    mode = str(node.attrs.get("mode", "constant")).upper()
    return _add(context, node, "pad", paddings=[0, 0, top, bottom, left, right, 0, 0], mode=mode)


def crop_attrs(node: Node) -> dict[str, Any]:
    """Return the attributes of a strided_slice that crops a node's input, (1, H, W, C)."""
    top, _, left, _ = (int(size) for size in node.attrs["crop"])
    height, width, channels = node.shape
    return {"begin": [0, top, left, 0], "end": [1, top + height, left + width, channels], "strides": [1, 1, 1, 1]}


def _crop(context: Context, node: Node) -> XirOp:
    return _add(context, node, "strided_slice", **crop_attrs(node))


def _upsample(context: Context, node: Node) -> XirOp:
    return _add(
        context,
        node,
        "resize",
        mode=str(node.attrs.get("method", "nearest")).upper(),
        scale=[float(node.attrs["scale"][1]), float(node.attrs["scale"][0])],
        align_corners=bool(node.attrs.get("align_corners", False)),
        half_pixel_centers=bool(node.attrs.get("half_pixel_centers", False)),
    )


def _pool(context: Context, node: Node) -> XirOp:
    kernel, strides = node.attrs["kernel"], node.attrs["strides"]
    top, bottom, left, right = (int(size) for size in node.attrs.get("pad", (0, 0, 0, 0)))
    attrs: dict[str, Any] = {
        "kernel": [int(kernel[1]), int(kernel[0])],
        "stride": [int(strides[1]), int(strides[0])],
        "pad": [left, right, top, bottom],
        "pad_mode": "FLOOR",
        "global": False,
    }
    if node.op is Op.MAX_POOL:
        return _add(context, node, "maxpool2d", **attrs)
    include = bool(node.attrs.get("count_include_pad", True))
    return _add(context, node, "avgpool2d", count_include_pad=include, count_include_invalid=False, **attrs)


def real_weights(context: Context, node: Node) -> dict[str, NDArray[np.float32]]:
    """Return a node's weights as the quantizer left them: on their grid where they have a fix point."""
    fix_points = context.quantized.weight_fix_points.get(node.name, {})
    return {
        key: fake_quantize(values, fix_points[key]) if key in fix_points else values
        for key, values in node.weights.items()
    }


def _convolution(context: Context, node: Node) -> XirOp:
    weights = real_weights(context, node)
    kernel, pad = kernel_ohwi(node.with_changes(weights=weights))
    return _add_convolution(
        context, node, context.real(node.inputs[0]), kernel, weights.get("bias"), pad, (1, *node.shape)
    )


def _add_convolution(
    context: Context,
    node: Node,
    source: XirOp,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    pad: tuple[int, ...],
    shape: tuple[int, ...],
) -> XirOp:
    name, fix_points = context.graph.unique(node.name), context.quantized.weight_fix_points.get(node.name, {})
    strides, dilation = node.attrs.get("strides", (1, 1)), node.attrs.get("dilation", (1, 1))
    inputs = {
        "input": [source.name],
        "weights": [context.constant(f"{name}_weights", kernel, fix_points.get("kernel"))],
    }
    if bias is not None:
        inputs["bias"] = [context.constant(f"{name}_bias", bias, fix_points.get("bias"))]
    op = context.add(
        name,
        _CONVOLUTIONS.get(node.op, "conv2d"),
        shape,
        inputs,
        None,
        kernel=[int(kernel.shape[2]), int(kernel.shape[1])],
        stride=[int(strides[1]), int(strides[0])],
        dilation=[int(dilation[1]), int(dilation[0])],
        pad=[int(pad[2]), int(pad[3]), int(pad[0]), int(pad[1])],
        pad_mode="FLOOR",
    )
    op.macs = convolution_macs(node.op, kernel.shape, source.shape, shape)
    return op


def _pointwise(
    context: Context, node: Node, kind: Node, kernel: NDArray[np.float32], bias: NDArray[np.float32] | None
) -> XirOp:
    """Add a 1x1 convolution over the last axis of a value with any number of axes."""
    source = context.real(node.inputs[0])
    if len(source.shape) != 4:
        shape = image_shape(source.shape)
        source = context.add(f"{node.name}_input", "reshape", shape, {"input": [source.name]}, None, shape=list(shape))
    channels = kernel.shape[0] if kind.op is not Op.DEPTHWISE_CONV2D else kernel.shape[3]
    op = _add_convolution(context, kind, source, kernel, bias, (0, 0, 0, 0), (*source.shape[:3], int(channels)))
    wanted = (1, *node.shape)
    if op.shape == wanted:
        return op
    return context.add(
        f"{node.name}_reshape", "reshape", wanted, {"input": [op.name]}, None, shape=[int(s) for s in wanted]
    )


def _dense(context: Context, node: Node) -> XirOp:
    weights = real_weights(context, node)
    return _pointwise(context, node, node, weights["kernel"].T[:, None, None, :], weights.get("bias"))


def _batch_norm(context: Context, node: Node) -> XirOp:
    weights = {key: values.astype(np.float64) for key, values in node.weights.items()}
    factor = weights.get("gamma", 1.0) / np.sqrt(weights["variance"] + float(node.attrs["epsilon"]))
    offset = weights.get("beta", 0.0) - weights["mean"] * factor
    kind = node.with_changes(op=Op.DEPTHWISE_CONV2D, attrs={})
    kernel = np.asarray(factor, np.float32).reshape(1, 1, 1, -1)
    return _pointwise(context, node, kind, kernel, np.asarray(offset, np.float32))


Lower = Callable[[Context, Node], XirOp]

CPU_OPS: MappingProxyType[Op, Lower] = MappingProxyType(
    {
        **dict.fromkeys(_SIMPLE, _simple),
        **dict.fromkeys(_CONVOLUTIONS, _convolution),
        Op.DENSE: _dense,
        Op.BATCH_NORM: _batch_norm,
        Op.LEAKY_RELU: _leaky_relu,
        Op.ELU: _elu,
        Op.SOFTMAX: _softmax,
        Op.MAX_POOL: _pool,
        Op.AVG_POOL: _pool,
        Op.CONCAT: _concat,
        Op.UPSAMPLE: _upsample,
        Op.CROP: _crop,
        Op.PAD: _pad,
        Op.RESHAPE: _reshape,
        Op.PERMUTE: _permute,
    }
)
