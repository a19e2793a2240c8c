"""Describes a compiled model: subgraphs, ops, fix points, multiply-accumulates, fingerprint, what is on the CPU."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nerone.dpu.fingerprints import boards_of_fingerprint, fingerprint_text
from nerone.dpu.ops import NO_XIR_OP
from nerone.errors import model_errors

__all__ = ["inspect_xmodel"]

_CPU_REASONS = {
    "fix2float": "converts the DPU's integers to float32",
    "float2fix": "converts float32 to the DPU's integers",
    **NO_XIR_OP,
}
_CONSTANTS = ("const", "const-fix")


def inspect_xmodel(path: str | Path) -> dict[str, Any]:
    """Describe an xmodel file as JSON-ready values.

    Parameters
    ----------
    path : the vendor's or NERONE's

    Returns
    -------
    dict with "name", "compiled", "inputs", "outputs", "macs", "weight_bytes", "dpu", "fingerprint", "boards",
    "subgraphs", "ops" and "on_cpu" (op, type, reason)

    Raises
    ------
    ModelError
        where the file is damaged.
    """
    from nerone import _core

    with model_errors(path, "compile it again"):
        return _described(path, _core.read_xmodel(str(path), any_family=True))


def _described(path: str | Path, graph: Mapping[str, Any]) -> dict[str, Any]:
    ops: dict[str, Mapping[str, Any]] = {op["name"]: op for op in graph["ops"]}
    children = graph["root"]["children"]
    where = {name: child for child in children for name in _all_ops(child)}
    rows = [_op_row(op, ops, where) for op in graph["ops"] if op["type"] not in _CONSTANTS]
    dpu = next((child for child in children if child["attrs"].get("device") == "DPU"), None)
    fingerprint = dpu["attrs"].get("dpu_fingerprint") if dpu else None
    read = {name for op in graph["ops"] for names in op["inputs"].values() for name in names}
    return {
        "file": str(path),
        "name": graph["name"],
        "compiled": bool(children),
        "dpu": dpu["attrs"].get("dpu_name", "") if dpu else "",
        "fingerprint": fingerprint_text(fingerprint) if fingerprint else None,
        "boards": [f"{board} (Vitis AI {version})" for board, version in boards_of_fingerprint(fingerprint)],
        "inputs": [_tensor(op) for op in graph["ops"] if op["type"].startswith("data")],
        "outputs": [_tensor(op) for op in graph["ops"] if op["name"] not in read and op["type"] not in _CONSTANTS],
        "macs": sum(row["macs"] for row in rows),
        "weight_bytes": sum(_size(op) for op in graph["ops"] if op["type"] == "const-fix"),
        "subgraphs": [_subgraph_row(child, ops) for child in children],
        "ops": rows,
        "on_cpu": [
            {
                "op": row["name"],
                "type": row["type"],
                "reason": _CPU_REASONS.get(row["type"], "left in float by the compiler"),
            }
            for row in rows
            if row["device"] == "CPU"
        ],
    }


def _all_ops(subgraph: Mapping[str, Any]) -> Iterator[str]:
    yield from subgraph["ops"]
    for child in subgraph["children"]:
        yield from _all_ops(child)


def _size(op: Mapping[str, Any]) -> int:
    return int(math.prod(op["output"]["shape"]))


def _tensor(op: Mapping[str, Any]) -> dict[str, Any]:
    output = op["output"]
    fix_point = output["attrs"].get("fix_point")
    return {
        "name": output["name"],
        "shape": output["shape"],
        "data_type": output["data_type"],
        "fix_point": fix_point,
        "scale": None if fix_point is None else 2.0**-fix_point,
    }


def _macs(op: Mapping[str, Any], ops: Mapping[str, Mapping[str, Any]]) -> int:
    """Count the products of a convolution; inserted zeros of a transposed one do not count."""
    weights = op["inputs"].get("weights")
    if not weights or "conv2d" not in op["type"]:
        return 0
    kernel = math.prod(ops[weights[0]]["output"]["shape"])
    grid = ops[op["inputs"]["input"][0]] if op["type"].startswith("transposed") else op
    return int(kernel * math.prod(grid["output"]["shape"][1:3]))


def _op_row(op: Mapping[str, Any], ops: Mapping[str, Mapping[str, Any]], where: Mapping[str, Any]) -> dict[str, Any]:
    child = where.get(op["name"])
    attrs = op["attrs"]
    shown = {key: attrs[key] for key in ("kernel", "stride", "pad", "nonlinear", "type", "mode") if key in attrs}
    return {
        "name": op["name"],
        "type": op["type"],
        "device": child["attrs"].get("device", "") if child else attrs.get("device", ""),
        "subgraph": child["name"] if child else "",
        "shape": op["output"]["shape"],
        "fix_point": op["output"]["attrs"].get("fix_point"),
        "macs": _macs(op, ops),
        "attrs": shown,
    }


def _subgraph_row(child: Mapping[str, Any], ops: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    own = [ops[name] for name in dict.fromkeys(_all_ops(child))]
    kinds = Counter(op["type"] for op in own if op["type"] not in _CONSTANTS)
    return {
        "name": child["name"],
        "device": child["attrs"].get("device", ""),
        "ops": sum(kinds.values()),
        "kinds": dict(kinds),
        "macs": sum(_macs(op, ops) for op in own),
    }
