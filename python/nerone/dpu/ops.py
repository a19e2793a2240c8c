"""The kinds of layers and the DPU: which it has no op for and why, which fuse, which only pass values on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nerone.dpu.arithmetic import is_leaky_slope
from nerone.graph import Node, Op

__all__ = ["FUSED_ACTIVATIONS", "KEEPS_FIX_POINT", "NO_OP", "NO_XIR_OP", "WEIGHTED", "float_reason", "leaky_reason"]

WEIGHTED = frozenset({Op.CONV2D, Op.DEPTHWISE_CONV2D, Op.TRANSPOSED_CONV2D, Op.DENSE})

KEEPS_FIX_POINT = frozenset({Op.CROP, Op.PAD, Op.RESHAPE, Op.PERMUTE, Op.DROPOUT})
"""Kinds that pass int8 values on unchanged, with their input's fix point."""

FUSED_ACTIVATIONS: Mapping[Op, frozenset[Op]] = MappingProxyType(
    {
        **dict.fromkeys(WEIGHTED, frozenset({Op.RELU, Op.RELU6, Op.LEAKY_RELU})),
        Op.ADD: frozenset({Op.RELU}),
        Op.MULTIPLY: frozenset({Op.RELU}),
    }
)
"""The activations that a kind of op computes in one go."""

NO_OP: Mapping[Op, str] = MappingProxyType(
    {
        Op.SOFTMAX: "the DPU has no softmax",
        Op.TANH: "the DPU has no tanh",
        Op.ELU: "the DPU has no ELU",
        Op.SELU: "the DPU has no SELU",
        Op.GELU: "the DPU has no GELU",
        Op.BATCH_NORM: "the batch norm could not be folded into a convolution",
        Op.PERMUTE: "the DPU cannot permute axes",
        Op.CROP: "the DPU has no cropping; the CPU copies the int8 pixels that are kept",
    }
)
"""Kinds that no DPU runs, with the reason."""

NO_XIR_OP: Mapping[str, str] = MappingProxyType(
    {"softmax": NO_OP[Op.SOFTMAX], "argmax": "the DPU has no argmax", "transpose": NO_OP[Op.PERMUTE]}
)
"""Types of XIR ops that no DPU runs, with the reason."""

_INEXACT: Mapping[Op, str] = MappingProxyType(
    {Op.SIGMOID: "the DPU has no exact sigmoid", Op.SWISH: "the DPU has no exact swish"}
)


def float_reason(node: Node) -> str | None:
    """Return why the values of a layer have to stay in float, whichever the DPU; None where int8 will do."""
    if node.op is Op.LEAKY_RELU:
        return leaky_reason(node.attrs["alpha"])
    if node.op is Op.AVG_POOL and any(node.attrs.get("pad", ())) and not node.attrs.get("count_include_pad", True):
        return "an average that leaves the padding out; the DPU divides by the whole window"
    if node.op in KEEPS_FIX_POINT:
        return None
    return NO_OP.get(node.op) or _INEXACT.get(node.op)


def leaky_reason(alpha: float) -> str | None:
    """Return why a leaky ReLU of slope ``alpha`` is not the DPU's; None where it is."""
    if is_leaky_slope(alpha):
        return None
    return f"the DPU's leaky ReLU has slope 26/256, this one {alpha:g}; train with 0.1 to keep it there"
