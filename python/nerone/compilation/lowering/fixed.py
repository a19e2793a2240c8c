"""Every node kind that the DPU has an op for, as that op."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from nerone.compilation.lowering.context import Context
from nerone.compilation.lowering.convolution import (
    lower_activation,
    lower_convolution,
    lower_dense,
    nonlinear,
    reshaped,
)
from nerone.compilation.lowering.units import Unit
from nerone.compilation.xir import XirOp
from nerone.dpu.arithmetic import GATE_FIX_POINT, SIGMOID_SHIFT
from nerone.graph import Op

__all__ = ["DPU_OPS"]


def _lower_sigmoid(context: Context, unit: Unit) -> XirOp:
    return _hard_sigmoid(
        context, unit.node.name, context.fixed(unit.inputs[0]), context.quantized_fix_point(unit.output)
    )


def _hard_sigmoid(context: Context, name: str, source: XirOp, fix_point: int) -> XirOp:
    assert source.fix_point is not None
    return context.add(
        name,
        "hard-sigmoid-fix",
        source.shape,
        {"input": [source.name]},
        fix_point,
        hsigmoid_in=source.fix_point,
        shift_hsigmoid=SIGMOID_SHIFT + source.fix_point - fix_point,
    )


def _lower_swish(context: Context, unit: Unit) -> XirOp:
    source = context.fixed(unit.inputs[0])
    gate = _hard_sigmoid(context, f"{unit.node.name}_gate", source, GATE_FIX_POINT)
    return context.add(
        unit.node.name,
        "eltwise-fix",
        source.shape,
        {"input": [source.name, gate.name]},
        context.quantized_fix_point(unit.output),
        type="MUL",
        nonlinear="NONE",
    )


def _lower_pool(context: Context, unit: Unit) -> XirOp:
    node, pad = unit.node, unit.pad
    source = context.fixed(unit.inputs[0])
    kernel, strides = node.attrs["kernel"], node.attrs["strides"]
    return context.add(
        node.name,
        "pool-fix",
        (1, *node.shape),
        {"input": [source.name]},
        context.quantized_fix_point(unit.output),
        type="MAX" if node.op is Op.MAX_POOL else "AVG",
        kernel=[int(kernel[1]), int(kernel[0])],
        stride=[int(strides[1]), int(strides[0])],
        pad=[pad[2], pad[3], pad[0], pad[1]],
        **{"global": tuple(kernel) == source.shape[1:3] and not any(pad)},
    )


def _lower_eltwise(context: Context, unit: Unit) -> XirOp:
    return context.add(
        unit.node.name,
        "eltwise-fix",
        (1, *unit.node.shape),
        {"input": [context.fixed(name).name for name in unit.inputs]},
        context.quantized_fix_point(unit.output),
        type="ADD" if unit.node.op is Op.ADD else "MUL",
        nonlinear=nonlinear(unit.activation),
    )


def _lower_concat(context: Context, unit: Unit) -> XirOp:
    axis = int(unit.node.attrs["axis"])
    return context.add(
        unit.node.name,
        "concat-fix",
        (1, *unit.node.shape),
        {"input": [context.fixed(name).name for name in unit.inputs]},
        context.quantized_fix_point(unit.output),
        axis=axis % (len(unit.node.shape) + 1),
    )


def _lower_upsample(context: Context, unit: Unit) -> XirOp:
    attrs = unit.node.attrs
    return context.add(
        unit.node.name,
        "upsample-fix",
        (1, *unit.node.shape),
        {"input": [context.fixed(unit.inputs[0]).name]},
        context.quantized_fix_point(unit.output),
        mode=str(attrs.get("method", "nearest")).upper(),
        scale=[float(attrs["scale"][1]), float(attrs["scale"][0])],
        align_corners=bool(attrs.get("align_corners", False)),
        half_pixel_centers=bool(attrs.get("half_pixel_centers", False)),
    )


def _lower_pad(context: Context, unit: Unit) -> XirOp:
    node, source = unit.node, context.fixed(unit.inputs[0])
    top, bottom, left, right = unit.pad
    return context.add(
        node.name,
        "pad-fix",
        (1, *node.shape),
        {"input": [source.name]},
        source.fix_point,
        paddings=[0, 0, top, bottom, left, right, 0, 0],
        mode=str(node.attrs.get("mode", "constant")).upper(),
    )


def _lower_reshape(context: Context, unit: Unit) -> XirOp:
    return reshaped(context, context.fixed(unit.inputs[0]), (1, *unit.node.shape), unit.node.name)


def _lower_dropout(context: Context, unit: Unit) -> XirOp:
    return context.fixed(unit.inputs[0])


Lower = Callable[[Context, Unit], XirOp]

DPU_OPS: MappingProxyType[Op, Lower] = MappingProxyType(
    {
        Op.CONV2D: lower_convolution,
        Op.DEPTHWISE_CONV2D: lower_convolution,
        Op.TRANSPOSED_CONV2D: lower_convolution,
        Op.DENSE: lower_dense,
        Op.RELU: lower_activation,
        Op.RELU6: lower_activation,
        Op.LEAKY_RELU: lower_activation,
        Op.SIGMOID: _lower_sigmoid,
        Op.HARD_SIGMOID: _lower_sigmoid,
        Op.SWISH: _lower_swish,
        Op.HARD_SWISH: _lower_swish,
        Op.MAX_POOL: _lower_pool,
        Op.AVG_POOL: _lower_pool,
        Op.ADD: _lower_eltwise,
        Op.MULTIPLY: _lower_eltwise,
        Op.CONCAT: _lower_concat,
        Op.UPSAMPLE: _lower_upsample,
        Op.PAD: _lower_pad,
        Op.RESHAPE: _lower_reshape,
        Op.DROPOUT: _lower_dropout,
    }
)
