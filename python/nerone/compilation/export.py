"""The quantized XIR graph that the vendor's compiler reads (``*_int.xmodel``): float ops, every value with a fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.lowering.context import Context, Value
from nerone.compilation.lowering.real import CPU_OPS, real_weights
from nerone.compilation.xir import REAL, XirGraph, XirOp, XirSubgraph, fix_attrs
from nerone.dpu.boards import DPUS
from nerone.dpu.ops import KEEPS_FIX_POINT
from nerone.errors import ModelError
from nerone.graph import Node, Op
from nerone.quantization.model import QuantizedModel

__all__ = ["export_quantized_xir", "to_quantized_xir"]


class _Export(Context):
    """A context whose ops are float without a device, and whose values are followed by their fix op."""

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
        op = XirOp(self.graph.unique(name), kind, dict(attrs), inputs, shape, None, "", self.source)
        return self.graph.add(op)

    def constant(self, name: str, values: NDArray[np.float32], fix_point: int | None) -> str:
        op = self.graph.add_const(name, values, None, "", self.source)
        return op.name if fix_point is None else self._fix(op, fix_point, "PY3_ROUND").name

    def set_real(self, node: Node, op: XirOp) -> None:
        fix_point, last = self.quantized.fix_points.get(node.name), op
        inherited = self.values[node.inputs[0]].fix_point if node.op in KEEPS_FIX_POINT else fix_point
        if fix_point is None and node.op is Op.CROP:
            # The vendor's compiler takes a slice to the CPU; the fix tells where the way back to the DPU begins.
            fix_point = inherited
        if fix_point is not None:
            last = self._fix(op, int(fix_point), "DPU_ROUND")
        self.values[node.name] = Value(op.shape, inherited if fix_point is None else fix_point, real=last.name)

    def _fix(self, op: XirOp, fix_point: int, round_mode: str) -> XirOp:
        return self.add(
            f"{op.name}_fix", "fix", op.shape, {"input": [op.name]}, None, **fix_attrs(fix_point, round_mode)
        )


def to_quantized_xir(quantized: QuantizedModel) -> dict[str, Any]:
    """Return a quantized model in the vendor's uncompiled form, in the schema of `nerone._core.write_xmodel`.

    Raises
    ------
    ModelError
        naming a layer that XIR has no op for.
    """
    context = _Export(quantized, DPUS["B4096"], XirGraph(quantized.graph.name or "model"))
    for node in quantized.graph:
        context.source = node.name
        if node.op is Op.INPUT:
            shape = (1, *(int(size) for size in node.shape))
            context.set_real(node, context.add(node.name, "data", shape, {}, None, shape=list(shape), data_type=REAL))
        elif node.op is Op.DROPOUT:
            context.values[node.name] = context.values[node.inputs[0]]
        elif node.op is Op.DENSE:
            context.set_real(node, _dense(context, node))
        elif node.op in CPU_OPS:
            context.set_real(node, CPU_OPS[node.op](context, node))
        else:
            raise ModelError(
                f"layer '{node.layer or node.name}' ({node.op.value}) cannot be written for the vendor's compiler; "
                "replace it by a supported layer"
            )
    root = XirSubgraph("root", {}, [op.name for op in context.graph])
    return context.graph.to_dict(root, {"origin": "nerone"})


def _dense(context: _Export, node: Node) -> XirOp:
    """The vendor's form of a dense layer, which an activation may follow at once."""
    weights, fix_points = real_weights(context, node), context.quantized.weight_fix_points.get(node.name, {})
    kernel = context.constant(f"{node.name}_weights", weights["kernel"].T, fix_points.get("kernel"))
    inputs = {"input": [context.real(node.inputs[0]).name, kernel]}
    if "bias" in weights:
        inputs["bias"] = [context.constant(f"{node.name}_bias", weights["bias"], fix_points.get("bias"))]
    return context.add(node.name, "matmul", (1, *node.shape), inputs, None, transpose_a=False, transpose_b=True)


def export_quantized_xir(quantized: QuantizedModel, path: str | Path) -> Path:
    """Write a quantized model for ``vai_c_xir -x PATH -a arch.json -o OUT -n NAME``."""
    from nerone import _core

    _core.write_xmodel(to_quantized_xir(quantized), str(path))
    return Path(path)
