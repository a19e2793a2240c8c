"""Convolutions of the graph as the DPU's fixed-point ones.

The DPU correlates: a transposed convolution inserts zeros between input pixels and correlates with the stored weights
as they are. Keras defines it as the gradient of a convolution, which sees the kernel mirrored in both directions, so
the stored kernel is the mirrored one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.lowering.context import Context
from nerone.compilation.lowering.units import Unit
from nerone.compilation.xir import XirOp
from nerone.dpu.arithmetic import quantize_array
from nerone.dpu.placement import Layer, reads_image
from nerone.graph import Node, Op

__all__ = [
    "as_layer",
    "kernel_ohwi",
    "lower_activation",
    "lower_convolution",
    "lower_dense",
    "mirrored",
    "nonlinear",
]

_NONLINEAR = {Op.RELU: "RELU", Op.RELU6: "RELU6", Op.LEAKY_RELU: "LEAKYRELU"}
_KINDS = {
    Op.CONV2D: "conv2d-fix",
    Op.DEPTHWISE_CONV2D: "depthwise-conv2d-fix",
    Op.TRANSPOSED_CONV2D: "transposed-conv2d-fix",
}


def nonlinear(activation: Node | None) -> str:
    """Return XIR's name of a fused activation."""
    return "NONE" if activation is None else _NONLINEAR[activation.op]


def mirrored(
    kernel: NDArray[Any], strides: tuple[int, int], pad: tuple[int, ...]
) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return a transposed convolution's kernel as the DPU stores it, and its pads.

    A negative pad (output beyond the last tap, where only the bias arrives) becomes taps of zero.

    Parameters
    ----------
    kernel : (Kh, Kw, Co, Ci), as Keras has it
    strides : (height, width)
    pad : (top, bottom, left, right) rows and columns cropped from the full output

    Returns
    -------
    (Kh', Kw', Co, Ci) array and non-negative pads
    """
    extra = [max(0, -size) for size in pad]
    grown = np.pad(kernel, ((extra[0], extra[1]), (extra[2], extra[3]), (0, 0), (0, 0)))
    return grown[::-1, ::-1], tuple(max(0, size) for size in pad)


def kernel_ohwi(node: Node) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """Return a convolution's kernel in XIR's layout and its own pads.

    (Co, Kh, Kw, Ci) for convolutions and transposed ones, (M, Kh, Kw, C) for depthwise ones.
    """
    kernel, pad = node.weights["kernel"], tuple(node.attrs.get("pad", (0, 0, 0, 0)))
    if node.op is Op.TRANSPOSED_CONV2D:
        kernel, pad = mirrored(kernel, node.attrs["strides"], pad)
        return kernel.transpose(2, 0, 1, 3), pad
    return kernel.transpose(3, 0, 1, 2), pad


def lower_convolution(context: Context, unit: Unit) -> XirOp:
    """Add a convolution with its weights, bias and activation."""
    node = unit.node
    kernel, own_pad = kernel_ohwi(node)
    pad = own_pad if node.op is Op.TRANSPOSED_CONV2D else unit.pad
    source = context.fixed(unit.inputs[0])
    return add_convolution(
        context,
        unit,
        source,
        kernel,
        (1, *unit.output.shape),
        pad,
        tuple(node.attrs.get("strides", (1, 1))),
        tuple(node.attrs.get("dilation", (1, 1))),
    )


def add_convolution(
    context: Context,
    unit: Unit,
    source: XirOp,
    kernel: NDArray[np.float32],
    shape: tuple[int, ...],
    pad: tuple[int, ...] = (0, 0, 0, 0),
    strides: tuple[int, ...] = (1, 1),
    dilation: tuple[int, ...] = (1, 1),
) -> XirOp:
    """Add a convolution op whose kernel already lies in XIR's layout."""
    node, fix_points = unit.node, context.quantized.weight_fix_points[unit.node.name]
    name, graph = context.graph.unique(node.name), context.graph
    inputs = {"input": [source.name]}
    weights = graph.add_const(
        f"{name}_weights", quantize_array(kernel, fix_points["kernel"]), fix_points["kernel"], "DPU", context.source
    )
    inputs["weights"] = [weights.name]
    if "bias" in node.weights:
        bias = quantize_array(node.weights["bias"], fix_points["bias"])
        inputs["bias"] = [graph.add_const(f"{name}_bias", bias, fix_points["bias"], "DPU", context.source).name]
    op = context.add(
        name,
        _KINDS.get(node.op, "conv2d-fix"),
        shape,
        inputs,
        context.quantized_fix_point(unit.output),
        kernel=[int(kernel.shape[2]), int(kernel.shape[1])],
        stride=[int(strides[1]), int(strides[0])],
        dilation=[int(dilation[1]), int(dilation[0])],
        pad=[int(pad[2]), int(pad[3]), int(pad[0]), int(pad[1])],
        pad_mode="FLOOR",
        nonlinear=nonlinear(unit.activation),
    )
    op.macs = convolution_macs(node.op, kernel.shape, source.shape, shape)
    return op


def convolution_macs(kind: Op, kernel: tuple[int, ...], source: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Count multiply-accumulates; a transposed convolution's inserted zeros do not count."""
    taps = int(np.prod(kernel))
    if kind is Op.TRANSPOSED_CONV2D:
        return int(np.prod(source[1:3])) * taps
    return int(np.prod(shape[1:3])) * taps


def _flat_input(context: Context, unit: Unit) -> tuple[str, tuple[int, ...]] | None:
    """Return the node before a flatten and its shape, where a dense layer can read it as a full-size convolution."""
    source = context.quantized.graph[unit.inputs[0]]
    if source.op is not Op.RESHAPE or len(source.shape) != 1:
        return None
    before = source.inputs[0]
    shape = context.values[before].shape
    if len(shape) != 4 or context.values[before].fixed is None:
        return None
    if context.fix_point(before) != context.fix_point(source.name):
        return None
    return before, shape


def as_layer(context: Context, unit: Unit) -> Layer:
    """Return a unit as `nerone.dpu.placement` looks at it."""
    flat = _flat_input(context, unit) if unit.node.op is Op.DENSE else None
    return Layer(
        node=unit.node,
        activation=unit.activation,
        pad=unit.pad,
        channels_in=context.values[unit.inputs[0]].shape[-1],
        image=flat[1] if flat else None,
        fix_in=context.fix_point(unit.inputs[0]),
        fix_out=context.quantized_fix_point(unit.output),
    )


def lower_dense(context: Context, unit: Unit) -> XirOp:
    """Add a dense layer: a convolution of the size of the flattened image where it fits, else a 1x1 one."""
    node = unit.node
    channels_in, channels_out = (int(size) for size in node.weights["kernel"].shape)
    flat = _flat_input(context, unit)
    if flat and reads_image(context.dpu, as_layer(context, unit)):
        before, shape = flat
        source = context.fixed(before)
        kernel = node.weights["kernel"].reshape(*shape[1:], channels_out)
        out_shape: tuple[int, ...] = (1, 1, 1, channels_out)
    else:
        source = context.fixed(unit.inputs[0])
        if len(source.shape) != 4:
            source = reshaped(context, source, image_shape(source.shape), f"{node.name}_input")
        kernel = node.weights["kernel"].reshape(1, 1, channels_in, channels_out)
        out_shape = (*source.shape[:3], channels_out)
    op = add_convolution(context, unit, source, kernel.transpose(3, 0, 1, 2), out_shape)
    wanted = (1, *unit.output.shape)
    return op if wanted == out_shape else reshaped(context, op, wanted, f"{node.name}_reshape")


def image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with four axes that holds the same values, channels last."""
    return (1, 1, int(np.prod(shape[1:-1], dtype=np.int64)), shape[-1])


def reshaped(context: Context, source: XirOp, shape: tuple[int, ...], name: str) -> XirOp:
    """Add a reshape of a fixed-point value."""
    return context.add(
        name, "reshape-fix", shape, {"input": [source.name]}, source.fix_point, shape=[int(s) for s in shape]
    )


def lower_activation(context: Context, unit: Unit) -> XirOp:
    """Add a ReLU-like activation that stands alone: a 1x1 depthwise convolution by one."""
    node, source = unit.node, context.fixed(unit.inputs[0])
    wanted = source.shape
    if len(source.shape) != 4:
        source = reshaped(context, source, image_shape(source.shape), f"{node.name}_input")
    name = context.graph.unique(node.name)
    ones = np.ones((1, 1, 1, source.shape[-1]), np.int8)
    weights = context.graph.add_const(f"{name}_weights", ones, 0, "DPU", context.source)
    op = context.add(
        name,
        "depthwise-conv2d-fix",
        source.shape,
        {"input": [source.name], "weights": [weights.name]},
        context.quantized_fix_point(unit.output),
        kernel=[1, 1],
        stride=[1, 1],
        dilation=[1, 1],
        pad=[0, 0, 0, 0],
        pad_mode="FLOOR",
        nonlinear=nonlinear(node),
    )
    op.macs = int(np.prod(source.shape))
    return op if wanted == source.shape else reshaped(context, op, wanted, f"{node.name}_reshape")
