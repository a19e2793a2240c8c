"""QuantizeLinear and DequantizeLinear of ONNX, read as the fix points of the values between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.graph.graph import Op
from nerone.graph.onnx_values import Call, Value

__all__ = ["DEQUANTIZE", "QUANTIZE", "FixPoints"]

# The vendor's quantizers have operators of their own beside ONNX's, with the same first three inputs.
QUANTIZE = ("QuantizeLinear", "VitisQuantizeLinear", "ExtendedQuantizeLinear")
DEQUANTIZE = ("DequantizeLinear", "VitisDequantizeLinear", "ExtendedDequantizeLinear")
_WEIGHTED = (Op.CONV2D, Op.DEPTHWISE_CONV2D, Op.TRANSPOSED_CONV2D, Op.DENSE)
_SEEN_THROUGH = (Op.CROP, Op.PAD, Op.RESHAPE, Op.PERMUTE, Op.DROPOUT)
Array = NDArray[Any]


@dataclass
class FixPoints:
    """Collects the fix points of a QDQ model while it is imported.

    Attributes
    ----------
    values : fix point by the name of the graph's node
    weights : {"kernel": fix point, "bias": fix point} by the name of the graph's node
    """

    values: dict[str, int] = field(default_factory=dict)
    weights: dict[str, dict[str, int]] = field(default_factory=dict)
    _constants: dict[str, int] = field(default_factory=dict)

    def pass_on(self, call: Call) -> Value:
        """Note the fix point of a computed tensor and return the tensor itself.

        Raises
        ------
        ModelError
            The scale is no power of two, the numbers are not int8 around zero, or a tensor has two scales.
        """
        value = call.value()
        fix_point = self._fix_point(call)
        node = value.node
        while call.builder.op(node) in _SEEN_THROUGH:
            node = call.builder.sources(node)[0]
        known = self.values.setdefault(node, fix_point)
        if known != fix_point:
            raise call.refuse(
                f"its input has the scale 2^-{known} before and 2^-{fix_point} here; give both ends the same scale"
            )
        return value

    def constant(self, call: Call, output: str) -> Array:
        """Return an int8 constant in real numbers, and remember its fix point by the tensor's name."""
        fix_point = self._fix_point(call)
        self._constants[output] = fix_point
        return np.ldexp(call.weight(0).astype(np.float32), -fix_point)

    def note_weights(self, node: Any, before: set[str], call: Call) -> None:
        """Give the weighted nodes that an ONNX node made the fix points of its constants."""
        found = {key: self._constants.get(item) for key, item in zip(("kernel", "bias"), node.input[1:3], strict=False)}
        for name in call.builder.names():
            if name not in before and call.builder.op(name) in _WEIGHTED:
                self.weights[name] = {key: fix_point for key, fix_point in found.items() if fix_point is not None}

    def _fix_point(self, call: Call) -> int:
        scale, zero = call.weight(1), call.constant(2)
        number = float(scale.reshape(-1)[0]) if scale.size else math.nan
        fraction, exponent = math.frexp(number) if math.isfinite(number) else (0.0, 0)
        if scale.size != 1 or fraction != 0.5:
            shown = f"{scale.size} scales" if scale.size != 1 else f"the scale {number:g}"
            raise call.refuse(f"{shown}, expected one power of two: quantize with the configuration XINT8")
        stored = call.constant(0) if not isinstance(call.inputs[0], Value) else None
        kind = zero.dtype if zero is not None else np.dtype(np.int8) if stored is None else stored.dtype
        if kind != np.int8 or (stored is not None and stored.dtype != np.int8) or (zero is not None and np.any(zero)):
            raise call.refuse(f"{kind} around {0 if zero is None else zero.reshape(-1)[0]}, expected int8 around 0")
        return 1 - exponent
