"""A quantized model as one fixed-point XIR graph whose ops know their device."""

from __future__ import annotations

import numpy as np

from nerone.compilation.lowering.context import Context, Decision, Value
from nerone.compilation.lowering.convolution import as_layer
from nerone.compilation.lowering.fixed import DPU_OPS
from nerone.compilation.lowering.real import CPU_OPS, crop_attrs
from nerone.compilation.lowering.units import Unit, find_units
from nerone.compilation.xir import FIXED, REAL, XirGraph, XirOp
from nerone.dpu.arithmetic import relu6_maximum
from nerone.dpu.boards import Dpu
from nerone.dpu.ops import KEEPS_FIX_POINT, NO_OP
from nerone.dpu.placement import cpu_reason
from nerone.errors import ModelError
from nerone.graph import Node, Op
from nerone.quantization.model import QuantizedModel

__all__ = ["lower"]


def lower(quantized: QuantizedModel, dpu: Dpu) -> tuple[XirGraph, list[str], list[Decision]]:
    """Lower a quantized model.

    Parameters
    ----------
    quantized : QuantizedModel
    dpu : Dpu, whose limits decide what stays on the CPU

    Returns
    -------
    graph, names of the output ops in the model's order, and one decision per node in the model's order

    Raises
    ------
    ModelError
        naming the layer that cannot be lowered, the reason and the remedy.
    """
    context = Context(quantized, dpu, XirGraph(quantized.graph.name or "model"))
    for unit in find_units(quantized):
        context.source = unit.output.name
        if unit.node.op is Op.INPUT:
            _lower_input(context, unit.node)
        else:
            _lower_unit(context, unit)
    outputs = [_output(context, name) for name in quantized.graph.outputs]
    live = _reachable(context.graph, outputs)
    decisions = [_alive(context.decisions[node.name], live) for node in quantized.graph]
    return live, outputs, decisions


def _output(context: Context, name: str) -> str:
    """Return an op with an output of the model that no other op reads: that is what makes it an output."""
    op = context.real(name)
    if not context.graph.consumers()[op.name]:
        return op.name
    value = context.values[name]
    if value.fixed is not None:
        value.real = None
        return context.real(name).name
    return context.add(f"{op.name}_output", "identity", op.shape, {"input": [op.name]}, None).name


def _lower_input(context: Context, node: Node) -> None:
    fix_point = context.quantized.fix_points.get(node.name)
    shape = (1, *(int(size) for size in node.shape))
    fixed = fix_point is not None
    attrs = {"shape": list(shape), "data_type": FIXED if fixed else REAL}
    op = XirOp(node.name, "data-fix" if fixed else "data", attrs, {}, shape, fix_point, "USER", node.name)
    op = context.graph.add(op)
    context.values[node.name] = Value(shape, fix_point, **{"fixed" if fixed else "real": op.name})
    context.decisions[node.name] = Decision(node, "USER", "input of the model", (op.name,))


def _lower_unit(context: Context, unit: Unit) -> None:
    reason = _cpu_reason(context, unit)
    before = len(context.graph)
    if reason is None:
        op = DPU_OPS[unit.node.op](context, unit)
        op = _requantized(context, unit, op)
        context.set_fixed(unit.output, op)
        device, reason = "DPU", _dpu_reason(context, unit, op)
    else:
        _lower_on_cpu(context, unit)
        device = "CPU"
    made = tuple(op.name for op in list(context.graph)[before:])
    _decide(context, unit, device, reason, made)


def _decide(context: Context, unit: Unit, device: str, reason: str, made: tuple[str, ...]) -> None:
    main = Decision(unit.node, device, reason, made)
    context.decisions[unit.node.name] = main
    for extra in (unit.activation, unit.padding):
        if extra is not None:
            why = "runs inside the op of its neighbour" if device == "DPU" else reason
            context.decisions[extra.name] = Decision(extra, device, why, made, fused_into=unit.node.name)


def _dpu_reason(context: Context, unit: Unit, op: XirOp) -> str:
    last = unit.output
    if last.op is Op.RELU6 and op.fix_point is not None and op.fix_point < 4:
        return f"fits, but with fix point {op.fix_point} the DPU's ReLU6 saturates at {relu6_maximum(op.fix_point):g}"
    if last.op in (Op.SIGMOID, Op.SWISH):
        return "fits, with the DPU's hard sigmoid in place of the sigmoid"
    return "fits"


def _cpu_reason(context: Context, unit: Unit) -> str | None:
    """Say why a unit has to run on the CPU, or None."""
    quantized, node = context.quantized, unit.node
    if node.op in NO_OP:
        return NO_OP[node.op]
    for part in (unit.node, unit.output):
        if part.name in quantized.float_nodes:
            return quantized.float_nodes[part.name] or "stays in float"
    for name in unit.inputs:
        if context.fix_point(name) is None:
            return f"its input '{name}' is in float"
    if node.op in KEEPS_FIX_POINT:
        source = context.values[unit.inputs[0]]
        return None if source.fixed is not None else "its input is on the CPU"
    if unit.output.name not in quantized.fix_points:
        return "its output has no fix point"
    return cpu_reason(context.dpu, as_layer(context, unit))


def _lower_on_cpu(context: Context, unit: Unit) -> None:
    for node in (unit.padding, unit.node, unit.activation):
        if node is None:
            continue
        if node.op is Op.DROPOUT:
            context.values[node.name] = context.values[node.inputs[0]]
            continue
        if node.op is Op.CROP and context.values[node.inputs[0]].fixed is not None:
            context.set_fixed(node, _requantized(context, unit, _crop_fixed(context, node)))
            continue
        if node.op not in CPU_OPS:
            raise ModelError(
                f"layer '{node.layer or node.name}' ({node.op.value}) can run neither on the DPU nor on the CPU; "
                "replace it by a supported layer"
            )
        context.set_real(node, CPU_OPS[node.op](context, node))
        value = context.values[node.name]
        if value.fix_point is None and node.op in KEEPS_FIX_POINT:
            value.fix_point = context.fix_point(node.inputs[0])


def _crop_fixed(context: Context, node: Node) -> XirOp:
    source = context.fixed(node.inputs[0])
    op = context.add(
        node.name, "strided_slice", (1, *node.shape), {"input": [source.name]}, source.fix_point, **crop_attrs(node)
    )
    op.device = "CPU"
    return op


def _requantized(context: Context, unit: Unit, op: XirOp) -> XirOp:
    """Move a value that was passed through to the fix point that the quantizer gave it."""
    wanted = context.quantized.fix_points.get(unit.output.name, op.fix_point)
    if wanted == op.fix_point:
        return op
    shape = op.shape if len(op.shape) == 4 else (1, 1, 1, int(np.prod(op.shape)))
    source = op.name
    if shape != op.shape:
        source = context.add(
            f"{op.name}_flat", "reshape-fix", shape, {"input": [source]}, op.fix_point, shape=list(shape)
        ).name
    moved = context.add(
        f"{unit.output.name}_requantize",
        "pool-fix",
        shape,
        {"input": [source]},
        wanted,
        type="MAX",
        kernel=[1, 1],
        stride=[1, 1],
        pad=[0, 0, 0, 0],
    )
    if shape == op.shape:
        return moved
    return context.add(
        f"{unit.output.name}_shaped",
        "reshape-fix",
        op.shape,
        {"input": [moved.name]},
        wanted,
        shape=[int(size) for size in op.shape],
    )


def _reachable(graph: XirGraph, outputs: list[str]) -> XirGraph:
    """Return the graph without the ops that no output needs; inputs stay, they are the model's interface."""
    needed = set(outputs)
    for op in reversed(list(graph)):
        if op.name in needed or op.device == "USER":
            needed |= {op.name, *op.input_names()}
    live = XirGraph(graph.name)
    for op in graph:
        if op.name in needed:
            live.add(op)
    return live


def _alive(decision: Decision, graph: XirGraph) -> Decision:
    ops = tuple(name for name in decision.ops if name in graph)
    if ops or decision.fused_into or decision.node.op is Op.INPUT:
        return Decision(decision.node, decision.device, decision.reason, ops, decision.fused_into)
    return Decision(decision.node, decision.device, "needs no op: its neighbours do its work", ops)
