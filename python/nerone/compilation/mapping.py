"""The mapping report: for every layer, where it runs, why, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nerone.compilation.lowering import Decision
from nerone.compilation.xir import XirGraph, XirSubgraph
from nerone.dpu.boards import Board

__all__ = ["mapping_report"]


def mapping_report(
    decisions: Sequence[Decision],
    graph: XirGraph,
    root: XirSubgraph,
    board: Board,
    vitis_ai: str | None,
    times_us: Mapping[str, float],
) -> dict[str, Any]:
    """Return the report as JSON-ready values.

    Parameters
    ----------
    times_us : estimated microseconds of each op of the DPU, see `nerone.compilation.estimate`

    Returns
    -------
    dict with "board", "dpu", "subgraphs" (device and number of ops), "macs", "weight_bytes", "on_dpu" (share of the
    multiply-accumulates), "estimated_ms" (of the DPU's work on one core) and "layers": one row per node with layer, op,
    device, reason, macs, time_share (of the DPU's estimated time; None on the CPU), fix_point, subgraph
    """
    where = {name: child.name for child in root.children for name in child.ops}
    total_us = sum(times_us.values())
    rows = [_row(decision, graph, where, times_us, total_us) for decision in decisions]
    total = sum(op.macs for op in graph)
    on_dpu = sum(op.macs for op in graph if op.device == "DPU")
    weights = sum(_bytes(op.shape) for op in graph if op.type == "const-fix")
    return {
        "board": board.name,
        "dpu": board.dpu_of(vitis_ai).name,
        "vitis_ai": vitis_ai or board.vitis_ai,
        "subgraphs": [
            {"name": child.name, "device": child.attrs["device"], "ops": len(child.ops)} for child in root.children
        ],
        "macs": total,
        "on_dpu": on_dpu / total if total else 1.0,
        "weight_bytes": weights,
        "estimated_ms": total_us / 1e3,
        "layers": rows,
    }


def _bytes(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _row(
    decision: Decision, graph: XirGraph, where: dict[str, str], times_us: Mapping[str, float], total_us: float
) -> dict[str, Any]:
    node = decision.node
    own = [graph[name] for name in decision.ops if name in graph]
    computing = [op for op in own if not op.type.startswith("const")]
    own_us = 0.0 if decision.fused_into else sum(times_us.get(op.name, 0.0) for op in computing)
    fixes = [op.fix_point for op in computing if op.fix_point is not None]
    return {
        "layer": node.layer or node.name,
        "node": node.name,
        "op": node.op.value,
        "device": decision.device,
        "reason": decision.reason,
        "fused_into": decision.fused_into,
        "macs": 0 if decision.fused_into else sum(op.macs for op in own),
        "time_share": own_us / total_us if decision.device == "DPU" and total_us else None,
        "shape": list(node.shape),
        "fix_point": fixes[-1] if fixes else None,
        "subgraph": where.get(computing[0].name, "") if computing else "",
        "xir_ops": [op.name for op in computing],
    }
