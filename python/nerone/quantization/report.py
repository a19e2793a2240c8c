"""The per-layer rows of a quantization report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nerone.graph import Node, Op
from nerone.quantization.model import QuantizedModel
from nerone.quantization.topology import fix_point_source, fused_activation

__all__ = ["layer_rows"]


def layer_rows(model: QuantizedModel, errors: Mapping[str, Mapping[str, float]] | None = None) -> list[dict[str, Any]]:
    """Return one JSON-ready row per node, inputs left out.

    Parameters
    ----------
    model : QuantizedModel
    errors : mapping of node name to {"mse": float, "snr_db": float} of its int8 output against float, where measured

    Returns
    -------
    list of dict with the keys layer, node, op, device ("DPU" or "CPU"), reason, shape, and where they exist
    input_positions, output_position, kernel_position, bias_position, fused_into, mse, snr_db
    """
    nodes = model.graph.by_name
    return [
        _row(model, nodes, node, (errors or {}).get(node.name, {})) for node in model.graph if node.op is not Op.INPUT
    ]


def _row(model: QuantizedModel, nodes: Mapping[str, Node], node: Node, errors: Mapping[str, float]) -> dict[str, Any]:
    reason = model.float_nodes.get(node.name, "")
    fused = fused_activation(model.graph, node)
    sources = [fix_point_source(nodes, model.fix_points, name) for name in node.inputs]
    weights = model.weight_fix_points.get(node.name, {})
    inputs = [model.fix_points[name] for name in sources if name is not None]
    row: dict[str, Any] = {
        "layer": node.layer or node.name,
        "node": node.name,
        "op": node.op.value,
        "device": "CPU" if reason else "DPU",
        "reason": reason,
        "shape": list(node.shape),
        "input_positions": inputs or None,
        "output_position": model.fix_points.get(node.name),
        "kernel_position": weights.get("kernel"),
        "bias_position": weights.get("bias"),
        "fused_into": None if fused is None or fused.name not in model.fix_points else fused.name,
        **errors,
    }
    return {key: value for key, value in row.items() if value is not None}
