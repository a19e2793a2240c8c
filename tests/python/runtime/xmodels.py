"""Small model files for the tests, written op by op."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nerone import _core

Spec = dict[str, Any]


def fixed(shape: tuple[int, ...], fix_point: int) -> Spec:
    attrs = {"fix_point": fix_point, "bit_width": 8, "if_signed": True, "round_mode": "DPU_ROUND"}
    return {"shape": list(shape), "data_type": "XINT8", "attrs": attrs}


def real(shape: tuple[int, ...], data_type: str = "FLOAT32") -> Spec:
    return {"shape": list(shape), "data_type": data_type, "attrs": {}}


def op(name: str, kind: str, output: Spec, inputs: Any = None, **attrs: Any) -> Spec:
    """One op; inputs are a list for the role "input", or a dict by role."""
    roles = {"input": inputs} if isinstance(inputs, list) else inputs or {}
    return {"name": name, "type": kind, "attrs": attrs, "inputs": roles, "output": {"name": f"{name}_t", **output}}


def data_fix(name: str, shape: tuple[int, ...], fix_point: int) -> Spec:
    return op(name, "data-fix", fixed(shape, fix_point), shape=list(shape), data_type="XINT8")


def data_float(name: str, shape: tuple[int, ...]) -> Spec:
    return op(name, "data", real(shape), shape=list(shape), data_type="FLOAT32")


def crossing(name: str, kind: str, output: Spec, source: str, fix_point: int) -> Spec:
    rounding = {"fix_point": fix_point, "bit_width": 8, "if_signed": True, "round_mode": "DPU_ROUND"}
    return op(name, kind, output, [source], **rounding)


def subgraph(name: str, device: str, ops: list[str]) -> Spec:
    attrs: dict[str, Any] = {"device": device}
    if device == "DPU":
        attrs |= {
            "dpu_name": "DPUCZDX8G_NERONE",
            "dpu_fingerprint": _core.UInt64(0),
            "runner": {"run": "libvart-dpu-runner.so", "ref": "libvart-cpu-runner.so"},
            "workload": _core.UInt64(0),
        }
    return {"name": name, "attrs": attrs, "ops": ops, "children": []}


def write(path: Path, ops: list[Spec], children: list[Spec]) -> Path:
    root = {"name": "root", "attrs": {}, "ops": [item["name"] for item in ops], "children": children}
    _core.write_xmodel({"name": path.stem, "attrs": {}, "ops": ops, "root": root}, path)
    return path


def write_doubling(path: Path, shape: tuple[int, ...] = (1, 2, 2, 1)) -> Path:
    """x -> DPU: x + x; int8 with fix point 4 on both sides."""
    ops = [
        data_fix("x", shape, 4),
        op("double", "eltwise-fix", fixed(shape, 4), ["x", "x"], type="ADD", nonlinear="NONE"),
    ]
    return write(path, ops, [subgraph("in", "USER", ["x"]), subgraph("dpu", "DPU", ["double"])])


def write_alternating(path: Path) -> Path:
    """Float in; CPU (quantize), DPU (doubles), CPU (relu), DPU (doubles), CPU (softmax; int8 too)."""
    shape = (1, 2, 3, 4)
    add = {"type": "ADD", "nonlinear": "NONE"}
    ops = [
        data_float("x", shape),
        crossing("q1", "float2fix", fixed(shape, 4), "x", 4),
        op("d1", "eltwise-fix", fixed(shape, 4), ["q1", "q1"], **add),
        crossing("f1", "fix2float", real(shape), "d1", 4),
        op("r", "relu", real(shape), ["f1"]),
        crossing("q2", "float2fix", fixed(shape, 3), "r", 3),
        op("d2", "eltwise-fix", fixed(shape, 2), ["q2", "q2"], **add),
        crossing("f2", "fix2float", real(shape), "d2", 2),
        op("s", "softmax", real(shape), ["f2"], axis=-1),
        op("t", "transpose", fixed((1, 4, 2, 3), 2), ["d2"], order=[0, 3, 1, 2]),
    ]
    children = [
        subgraph("in", "USER", ["x"]),
        subgraph("cpu1", "CPU", ["q1"]),
        subgraph("dpu1", "DPU", ["d1"]),
        subgraph("cpu2", "CPU", ["f1", "r", "q2"]),
        subgraph("dpu2", "DPU", ["d2"]),
        subgraph("cpu3", "CPU", ["f2", "s", "t"]),
    ]
    return write(path, ops, children)
