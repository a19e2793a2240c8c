"""Every node kind that the DPU has an op for: why it may not fit, and the op."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from nerone.compilation.lowering.context import Context
from nerone.compilation.lowering.convolution import (
    activation_limit,
    dense_limit,
    limit_convolution,
    lower_activation,
    lower_convolution,
    lower_dense,
    nonlinear,
    reshaped,
)
from nerone.compilation.lowering.units import Unit
from nerone.compilation.xir import XirOp
from nerone.dpu.limits import channel_limit, pool_limit
from nerone.graph import Op

__all__ = ["DPU_LIMITS", "DPU_OPS", "TRANSPARENT"]

TRANSPARENT = frozenset({Op.PAD, Op.RESHAPE, Op.DROPOUT})
"""Kinds that pass their input's fix point on."""

_SIGMOID_SHIFT = 14  # 2731 / 2^14 is the DPU's 1 / 6
_GATE_POSITION = 7  # of a sigmoid's value, which lies in 0 .. 1


def _no_limit(context: Context, unit: Unit) -> str | None:
    return None


def _limit_activation(context: Context, unit: Unit) -> str | None:
    channels = context.values[unit.inputs[0]].shape[-1]
    return activation_limit(unit.node) or channel_limit(context.dpu, channels, "input")


def _limit_pool(context: Context, unit: Unit) -> str | None:
    node = unit.node
    pad = unit.pad
    if node.op is Op.AVG_POOL and any(pad) and not node.attrs.get("count_include_pad", True):
        return "an average that leaves the padding out; the DPU divides by the whole window"
    return pool_limit(context.dpu, node.attrs["kernel"], node.attrs["strides"], pad, node.shape[-1])


def _limit_eltwise(context: Context, unit: Unit) -> str | None:
    return channel_limit(context.dpu, unit.node.shape[-1], "input")


def _limit_sigmoid(context: Context, unit: Unit) -> str | None:
    position = context.fix_point(unit.inputs[0])
    gate = context.position(unit.output) if unit.node.op in _SIGMOIDS else _GATE_POSITION
    if position is None or not 0 <= position <= 15 or _SIGMOID_SHIFT + position - gate < 0:
        return f"its input's fix point {position} is outside the DPU's hard sigmoid (0 to 15)"
    return None


_SIGMOIDS = frozenset({Op.SIGMOID, Op.HARD_SIGMOID})


def _lower_sigmoid(context: Context, unit: Unit) -> XirOp:
    return _hard_sigmoid(context, unit.node.name, context.fixed(unit.inputs[0]), context.position(unit.output))


def _hard_sigmoid(context: Context, name: str, source: XirOp, fix_point: int) -> XirOp:
    assert source.fix_point is not None
    return context.add(
        name,
        "hard-sigmoid-fix",
        source.shape,
        {"input": [source.name]},
        fix_point,
        hsigmoid_in=source.fix_point,
        shift_hsigmoid=_SIGMOID_SHIFT + source.fix_point - fix_point,
    )


def _lower_swish(context: Context, unit: Unit) -> XirOp:
    source = context.fixed(unit.inputs[0])
    gate = _hard_sigmoid(context, f"{unit.node.name}_gate", source, _GATE_POSITION)
    return context.add(
        unit.node.name,
        "eltwise-fix",
        source.shape,
        {"input": [source.name, gate.name]},
        context.position(unit.output),
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
        context.position(unit.output),
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
        context.position(unit.output),
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
        context.position(unit.output),
        axis=axis % (len(unit.node.shape) + 1),
    )


def _lower_upsample(context: Context, unit: Unit) -> XirOp:
    attrs = unit.node.attrs
    return context.add(
        unit.node.name,
        "upsample-fix",
        (1, *unit.node.shape),
        {"input": [context.fixed(unit.inputs[0]).name]},
        context.position(unit.output),
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


Limit = Callable[[Context, Unit], "str | None"]
Lower = Callable[[Context, Unit], XirOp]

DPU_LIMITS: MappingProxyType[Op, Limit] = MappingProxyType(
    {
        Op.CONV2D: limit_convolution,
        Op.DEPTHWISE_CONV2D: limit_convolution,
        Op.TRANSPOSED_CONV2D: limit_convolution,
        Op.DENSE: dense_limit,
        Op.RELU: _limit_activation,
        Op.RELU6: _limit_activation,
        Op.LEAKY_RELU: _limit_activation,
        Op.SIGMOID: _limit_sigmoid,
        Op.HARD_SIGMOID: _limit_sigmoid,
        Op.SWISH: _limit_sigmoid,
        Op.HARD_SWISH: _limit_sigmoid,
        Op.MAX_POOL: _limit_pool,
        Op.AVG_POOL: _limit_pool,
        Op.ADD: _limit_eltwise,
        Op.MULTIPLY: _limit_eltwise,
        Op.CONCAT: _no_limit,
        Op.UPSAMPLE: _no_limit,
        Op.PAD: _no_limit,
        Op.RESHAPE: _no_limit,
        Op.DROPOUT: _no_limit,
    }
)

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
