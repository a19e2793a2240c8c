"""The compiled file: the vendor's attributes on the graph of ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nerone.compat import zip
from nerone.compilation.emit.machine import Machine
from nerone.compilation.emit.ops import SubgraphOps, image_shape
from nerone.compilation.emit.stream import Stream
from nerone.compilation.emit.views import View

__all__ = ["board_graph", "workload_on_arch"]

_RUNNER = {"ref": "libvart-cpu-runner.so", "run": "libvart-dpu-runner.so", "sim": "libvart-sim-runner.so"}
_REGISTERS = ("REG_0", "REG_1", "REG_2", "REG_3")
_CROSSINGS = ("upload", "download")
_COUNTED = frozenset({"conv2d-fix", "transposed-conv2d-fix", "depthwise-conv2d-fix"})

Compiled = Mapping[str, tuple[SubgraphOps, Stream, bytes]]


def board_graph(
    graph: Mapping[str, Any], machine: Machine, compiled: Compiled, uint64: Callable[[int], Any]
) -> dict[str, Any]:
    """Return a graph as the vendor's compiler writes it.

    Parameters
    ----------
    graph : in the schema of `nerone._core.read_xmodel`, as `nerone.compile` lowers it
    machine : Machine
    compiled : per name of a DPU subgraph its ops, its stream, and the bytes of its instructions
    uint64 : callable that marks an attribute value as 64 bit unsigned (`nerone._core.UInt64`)
    """
    placed: dict[str, tuple[int, int, list[int] | None]] = {}
    for sub, stream, _ in compiled.values():
        placed |= {name: (0, address, None) for name, address in stream.addresses.items()}
        for name, view in stream.views.items():
            stride = _strides(view, sub.ops[name].shape)
            placed[name] = (view.buffer.register, view.at(0, 0), stride)
    loads = {op["name"]: workload_on_arch(machine, op, _by_name(graph)) for op in graph["ops"]}
    root = graph["root"]
    kinds = {op["name"]: op["type"] for op in graph["ops"]}
    children = [_child(child, machine, compiled, loads, kinds, uint64) for child in root["children"]]
    total = uint64(sum(loads.values()))
    return {
        **graph,
        "ops": [_op(op, placed) for op in graph["ops"]],
        "root": {**root, "attrs": {**root["attrs"], "workload_on_arch": total}, "children": children},
    }


def _by_name(graph: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {op["name"]: op for op in graph["ops"]}


def _op(op: Mapping[str, Any], placed: Mapping[str, tuple[int, int, list[int] | None]]) -> dict[str, Any]:
    """Return an op whose tensor says where it lies; constants leave their bytes to REG_0."""
    if op["name"] not in placed:
        return dict(op)
    register, address, stride = placed[op["name"]]
    attrs = {**op["output"]["attrs"], "reg_id": register, "ddr_addr": address, "location": 1}
    if stride is not None:
        attrs["stride"] = stride
    found = {**op, "output": {**op["output"], "attrs": attrs}}
    if op["type"] == "const-fix":
        found["attrs"] = {**op["attrs"], "data": b""}
    return found


def _strides(view: View, shape: Sequence[int]) -> list[int]:
    """Return the strides of a tensor's axes in bytes."""
    height, width, channels = image_shape(tuple(shape))
    whole = [height * width * channels if view.is_dense else height * view.line, view.line, view.pixel, 1]
    if len(shape) <= 4:
        return [whole[0], *whole[4 - len(shape) + 1 :]] if len(shape) > 1 else [1]
    return [math.prod(shape[place + 1 :]) for place in range(len(shape))]


def workload_on_arch(machine: Machine, op: Mapping[str, Any], ops: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the operations that a DPU spends on an op: lines rounded up to its pixels, channels to its channels."""
    weights = op["inputs"].get("weights")
    if op["type"] not in _COUNTED or not weights:
        return 0
    height, width, channels = image_shape(tuple(op["output"]["shape"]))
    taps = math.prod(ops[weights[0]]["output"]["shape"][1:3])
    inputs = image_shape(tuple(ops[op["inputs"]["input"][0]]["output"]["shape"]))[2]
    lines = -(-height // machine.pixels) * machine.pixels
    outputs = machine.groups(channels) * machine.channels
    deep = 1 if op["type"].startswith("depthwise") else machine.groups(inputs) * machine.channels
    if op["type"].startswith("transposed"):
        taps = -(-taps // math.prod(op["attrs"]["stride"]))
    return int(2 * lines * width * outputs * deep * taps + (lines * width * outputs if op["inputs"].get("bias") else 0))


def _child(
    child: Mapping[str, Any],
    machine: Machine,
    compiled: Compiled,
    loads: Mapping[str, int],
    kinds: Mapping[str, str],
    uint64: Callable[[int], Any],
) -> dict[str, Any]:
    attrs = {**child["attrs"], "workload_on_arch": uint64(sum(loads.get(name, 0) for name in child["ops"]))}
    if child["name"] not in compiled:
        return {**child, "attrs": attrs}
    _, stream, code = compiled[child["name"]]
    attrs.pop("constant_layout", None)
    sizes = {0: len(stream.parameters), **stream.sizes}
    attrs |= {
        "debug_mode": "null",
        "dpu_fingerprint": uint64(machine.fingerprint),
        "dpu_name": machine.name,
        "mc_code": code,
        "mc_code_preload": b"",
        "reg_id_to_context_type": dict(zip(_REGISTERS, ("CONST", "DATA", "DATA", "DATA"), strict=True)),
        "reg_id_to_context_type_v2": dict(
            zip(_REGISTERS, ("CONST", "WORKSPACE", "INTERFACE", "INTERFACE"), strict=True)
        ),
        "reg_id_to_hw_segment": dict(zip(_REGISTERS, ("W0", "D0", "D0", "D0"), strict=True)),
        "reg_id_to_parameter_value": {"REG_0": stream.parameters},
        "reg_id_to_size": {name: max(16, sizes[number]) for number, name in enumerate(_REGISTERS)},
        "runner": dict(_RUNNER),
    }
    if machine.isa == 1:
        attrs["if_prefetch"] = False
    inner = [_inner(part, stream, loads, uint64) for part in child["children"]]
    attrs["children_topological_sort"] = [part["name"] for part in inner if kinds[part["ops"][-1]] not in _CROSSINGS]
    return {**child, "attrs": attrs, "children": inner}


def _inner(
    part: Mapping[str, Any], stream: Stream, loads: Mapping[str, int], uint64: Callable[[int], Any]
) -> dict[str, Any]:
    """Return an op's own subgraph; one that computes nothing says so."""
    attrs = {**part["attrs"], "workload_on_arch": uint64(sum(loads.get(name, 0) for name in part["ops"]))}
    name = part["ops"][-1]
    if name in stream.views and name not in stream.busy:
        attrs["skip_code_gen"] = True
    return {**part, "attrs": attrs}
