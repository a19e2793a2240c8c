"""Decides whether a layer runs on a DPU, from its kind, its sizes and its fix points."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from nerone.compat import dataclass
from nerone.dpu.arithmetic import GATE_FIX_POINT, MAX_ELTWISE, SIGMOID_SHIFT
from nerone.dpu.boards import Dpu
from nerone.dpu.limits import Pads, channel_limit, convolution_limit, depthwise_limit, pool_limit, transposed_limit
from nerone.dpu.ops import NO_OP, float_reason, leaky_reason
from nerone.graph import Node, Op

__all__ = ["KINDS", "Layer", "cpu_reason", "reads_image"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer as the DPU sees it: one op with the activation and the zero padding that it includes.

    Attributes
    ----------
    node : Node, the op
    activation : Node or None, computed in one go with it
    pad : (top, bottom, left, right), zeros round its input
    channels_in : int, of its first input
    image : (1, H, W, C) or None, the input of the flatten that a dense layer reads
    fix_in, fix_out : int or None, fix points of its first input and of its output
    """

    node: Node
    activation: Node | None
    pad: Pads
    channels_in: int
    image: tuple[int, ...] | None = None
    fix_in: int | None = None
    fix_out: int | None = None


def cpu_reason(dpu: Dpu, layer: Layer) -> str | None:
    """Return why a layer cannot run on a DPU; None where it can.

    Parameters
    ----------
    dpu : Dpu, whose sizes set the limits
    layer : Layer
    """
    kind = layer.node.op
    if kind in NO_OP:
        return NO_OP[kind]
    check = _CHECKS.get(kind)
    if check is None:
        return f"the DPU has no {kind.value}"
    return check(dpu, layer)


def reads_image(dpu: Dpu, layer: Layer) -> bool:
    """Return whether a dense layer runs as a convolution of the size of the image that was flattened for it."""
    if layer.image is None:
        return False
    channels_out = int(layer.node.weights["kernel"].shape[1])
    _, height, width, channels = layer.image
    return convolution_limit(dpu, (height, width), (1, 1), (1, 1), (0, 0, 0, 0), channels, channels_out) is None


def _fused_reason(layer: Layer) -> str | None:
    fused = layer.activation
    return float_reason(fused) if fused is not None and fused.op is Op.LEAKY_RELU else None


def _convolution(dpu: Dpu, layer: Layer) -> str | None:
    node, channels = layer.node, layer.channels_in
    height, width, *_ = (int(size) for size in node.weights["kernel"].shape)
    strides, dilation = tuple(node.attrs.get("strides", (1, 1))), tuple(node.attrs.get("dilation", (1, 1)))
    if node.op is Op.CONV2D:
        group, channels_out = (int(size) for size in node.weights["kernel"].shape[2:])
        if group != channels:
            return f"a grouped convolution ({channels} channels, {group} per group); the DPU has none"
        reason = convolution_limit(dpu, (height, width), strides, dilation, layer.pad, channels, channels_out)
    else:
        reason = depthwise_limit(dpu, (height, width), strides, dilation, layer.pad, channels)
        channels_out = channels * int(node.weights["kernel"].shape[3])
        reason = reason or channel_limit(dpu, channels_out, "output")
    return reason or _fused_reason(layer)


def _transposed(dpu: Dpu, layer: Layer) -> str | None:
    node = layer.node
    height, width, channels_out, _ = (int(size) for size in node.weights["kernel"].shape)
    top, bottom, left, right = (int(size) for size in node.attrs.get("pad", (0, 0, 0, 0)))
    # Output beyond the last tap needs taps of zero; see `lowering.convolution.mirrored`.
    kernel = (height + max(0, -top) + max(0, -bottom), width + max(0, -left) + max(0, -right))
    pad = (max(0, top), max(0, bottom), max(0, left), max(0, right))
    reason = transposed_limit(dpu, kernel, tuple(node.attrs["strides"]), pad, layer.channels_in, channels_out)
    if max(node.attrs.get("dilation", (1, 1))) > 1:
        reason = reason or "a dilated transposed convolution; the DPU has none"
    return reason or _fused_reason(layer)


def _dense(dpu: Dpu, layer: Layer) -> str | None:
    channels_in, channels_out = (int(size) for size in layer.node.weights["kernel"].shape)
    reason = convolution_limit(dpu, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), channels_in, channels_out)
    return (None if reads_image(dpu, layer) else reason) or _fused_reason(layer)


def _activation(dpu: Dpu, layer: Layer) -> str | None:
    node = layer.node
    reason = leaky_reason(float(node.attrs.get("alpha", 0.0))) if node.op is Op.LEAKY_RELU else None
    return reason or channel_limit(dpu, layer.channels_in, "input")


def _pool(dpu: Dpu, layer: Layer) -> str | None:
    node = layer.node
    sizes = node.attrs["kernel"], node.attrs["strides"], layer.pad, node.shape[-1]
    return float_reason(node) or pool_limit(dpu, *sizes, is_average=node.op is Op.AVG_POOL)


def _eltwise(dpu: Dpu, layer: Layer) -> str | None:
    return channel_limit(dpu, layer.node.shape[-1], "input")


def _sigmoid(dpu: Dpu, layer: Layer) -> str | None:
    return _sigmoid_reason(dpu, layer.fix_in, layer.fix_out)


def _swish(dpu: Dpu, layer: Layer) -> str | None:
    return _sigmoid_reason(dpu, layer.fix_in, GATE_FIX_POINT)


def _sigmoid_reason(dpu: Dpu, fix_in: int | None, fix_out: int | None) -> str | None:
    """Return why the DPU's hard sigmoid does not take these fix points; None where it does."""
    if not dpu.version:
        return "a hard sigmoid, which a DPU of Vitis AI 1.4 does not have; an overlay of 2.5 or later has it"
    if fix_in is None or fix_out is None or not 0 <= fix_in <= MAX_ELTWISE or SIGMOID_SHIFT + fix_in < fix_out:
        return f"its input's fix point {fix_in} is outside the DPU's hard sigmoid (0 to {MAX_ELTWISE})"
    return None


def _always(dpu: Dpu, layer: Layer) -> str | None:
    return None


_CHECKS: MappingProxyType[Op, Callable[[Dpu, Layer], str | None]] = MappingProxyType(
    {
        **dict.fromkeys((Op.CONV2D, Op.DEPTHWISE_CONV2D), _convolution),
        Op.TRANSPOSED_CONV2D: _transposed,
        Op.DENSE: _dense,
        **dict.fromkeys((Op.RELU, Op.RELU6, Op.LEAKY_RELU), _activation),
        **dict.fromkeys((Op.SIGMOID, Op.HARD_SIGMOID), _sigmoid),
        **dict.fromkeys((Op.SWISH, Op.HARD_SWISH), _swish),
        **dict.fromkeys((Op.MAX_POOL, Op.AVG_POOL), _pool),
        **dict.fromkeys((Op.ADD, Op.MULTIPLY), _eltwise),
        **dict.fromkeys((Op.CONCAT, Op.UPSAMPLE, Op.PAD, Op.RESHAPE, Op.DROPOUT), _always),
    }
)

KINDS = frozenset(_CHECKS)
"""Kinds of layers that a DPU has ops for."""
