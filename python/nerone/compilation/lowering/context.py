"""The state of one lowering: which XIR op holds each node's value, in fixed point and in float."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.xir import XirGraph, XirOp, fix_attrs
from nerone.dpu.boards import Dpu
from nerone.errors import ModelError
from nerone.graph import Node
from nerone.quantization.model import QuantizedModel

__all__ = ["Context", "Decision", "Value"]


@dataclass
class Value:
    """The ops from which the output of a graph node can be read.

    ``fix_point`` is known too for a float value that is to be requantized on its way back to the DPU.
    """

    shape: tuple[int, ...]
    fix_point: int | None
    fixed: str | None = None
    real: str | None = None


@dataclass(frozen=True)
class Decision:
    """One row of the mapping report."""

    node: Node
    device: str
    reason: str
    ops: tuple[str, ...]
    fused_into: str = ""


@dataclass
class Context:
    """The state that the lowering functions share."""

    quantized: QuantizedModel
    dpu: Dpu
    graph: XirGraph
    values: dict[str, Value] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    source: str = ""

    def constant(self, name: str, values: NDArray[np.float32], fix_point: int | None) -> str:
        """Append float32 weights of a CPU op and return the op to read; ``fix_point`` is that of their grid."""
        return self.graph.add_const(name, values, None, "CPU", self.source).name

    def fix_point(self, name: str) -> int | None:
        """Return the fix point of a node's value, also where it only passes one through."""
        return self.values[name].fix_point

    def quantized_fix_point(self, node: Node) -> int:
        """Return the fix point that the quantizer gave a node's output."""
        return int(self.quantized.fix_points[node.name])

    def add(
        self,
        name: str,
        kind: str,
        shape: tuple[int, ...],
        inputs: dict[str, list[str]],
        fix_point: int | None,
        /,
        **attrs: object,
    ) -> XirOp:
        """Append an op; a fixed-point one runs on the DPU, a float one on the CPU."""
        device = "CPU" if fix_point is None else "DPU"
        return self.graph.add(
            XirOp(self.graph.unique(name), kind, dict(attrs), inputs, shape, fix_point, device, self.source)
        )

    def fixed(self, name: str) -> XirOp:
        """Return the op with a node's value in fixed point, requantizing a float one on the CPU."""
        value = self.values[name]
        if value.fixed is None:
            if value.fix_point is None or value.real is None:
                raise ModelError(f"the value of layer '{name}' has no fix point; quantize the model again")
            attrs = fix_attrs(value.fix_point, "DPU_ROUND")
            op = XirOp(
                self.graph.unique(f"{value.real}_float2fix"),
                "float2fix",
                attrs,
                {"input": [value.real]},
                value.shape,
                value.fix_point,
                "CPU",
                self.source,
            )
            value.fixed = self.graph.add(op).name
        return self.graph[value.fixed]

    def real(self, name: str) -> XirOp:
        """Return the op with a node's value in float32, converting a fixed-point one on the CPU."""
        value = self.values[name]
        if value.real is None:
            assert value.fixed is not None
            assert value.fix_point is not None
            op = self.add(
                f"{value.fixed}_fix2float",
                "fix2float",
                value.shape,
                {"input": [value.fixed]},
                None,
                **fix_attrs(value.fix_point, "DPU_ROUND"),
            )
            value.real = op.name
        return self.graph[value.real]

    def set_fixed(self, node: Node, op: XirOp) -> None:
        """Record that a node's value is the output of a fixed-point op."""
        self.values[node.name] = Value(op.shape, op.fix_point, fixed=op.name)

    def set_real(self, node: Node, op: XirOp) -> None:
        """Record that a node's value is the output of a float op; with a fix point it is quantized at once.

        The quantizer saw every later reader read the quantized value, so readers on the CPU get that one too.
        """
        fix_point = self.quantized.fix_points.get(node.name)
        self.values[node.name] = Value(op.shape, fix_point, real=op.name)
        if fix_point is not None:
            self.fixed(node.name)
            self.values[node.name].real = None
