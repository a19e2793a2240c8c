"""Cases (the schema of ../../data/ops.json) as model files, many in one file, run through the real libvart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nerone
from nerone import _core
from nerone.compat import zip
from runtime import xmodels
from softdpu import numpy_dpu

Array = NDArray[Any]
Case = Mapping[str, Any]

CPU_TYPES = frozenset({"softmax", "fix", "float2fix", "fix2float"})


def case_ops(case: Case, arrays: Mapping[str, Array], prefix: str) -> list[dict[str, Any]]:
    """The ops of one case, all names prefixed. Output tensors have the shapes that the numpy statement gives."""
    values = numpy_dpu.run_case(case, arrays)
    ops = []
    for node in case["nodes"]:
        value, attrs = values[node["name"]], dict(node["attrs"])
        if node["kind"] != "op":
            attrs |= {"shape": list(value.shape), "data_type": "XINT8" if value.dtype == np.int8 else "FLOAT32"}
        if node["kind"] == "const":
            attrs["data"] = value.tobytes()
        if "constant_values" in attrs:  # XIR keeps them as bytes
            attrs["constant_values"] = np.asarray(attrs["constant_values"], np.int8).tobytes()
        spec = xmodels.fixed(value.shape, node["fix_point"]) if value.dtype == np.int8 else xmodels.real(value.shape)
        inputs = {role: [prefix + name for name in names] for role, names in node["inputs"].items()}
        op = xmodels.op(prefix + node["name"], node["type"], spec, inputs)
        ops.append(op | {"attrs": attrs})
    return ops


def write_cases(path: Path, cases: Sequence[Case], arrays: Mapping[str, Array], *, cpu: frozenset[str]) -> Path:
    """One file with the cases side by side: inputs in a USER subgraph, `cpu` op types in a CPU's, others in a DPU's."""
    ops: list[dict[str, Any]] = []
    owned: dict[str, list[str]] = {"USER": [], "DPU": [], "CPU": []}
    for number, case in enumerate(cases):
        built = case_ops(case, arrays, f"c{number}_")
        on_cpu = any(op["type"] in cpu for op in built)
        for op in built:
            device = "USER" if op["type"].startswith("data") else "CPU" if on_cpu else "DPU"
            owned[device].append(op["name"])
        ops += built
    children = [
        xmodels.subgraph(device.lower(), device, owned[device]) for device in ("USER", "DPU", "CPU") if owned[device]
    ]
    return xmodels.write(path, ops, children)


def inputs_of(cases: Sequence[Case], arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {
        f"c{number}_{node['name']}_t": np.ascontiguousarray(arrays[node["data"]])
        for number, case in enumerate(cases)
        for node in case["nodes"]
        if node["kind"] == "data"
    }


def by_case(cases: Sequence[Case], results: Mapping[str, Array]) -> list[dict[str, Array]]:
    """For each case the values of the ops that no other op reads."""
    found: list[dict[str, Array]] = [{} for _ in cases]
    for name, value in results.items():
        number, node = name.removeprefix("c").removesuffix("_t").split("_", 1)
        found[int(number)][node] = value
    return found


def run_cases(path: Path, cases: Sequence[Case], arrays: Mapping[str, Array], kernels: str) -> list[dict[str, Array]]:
    """Run a file as users do, through its USER, DPU and CPU subgraphs."""
    with nerone.Model.load(path, kernels=kernels) as model:
        given = inputs_of(cases, arrays)
        results = model.run(given if len(given) > 1 else next(iter(given.values())))
        if len(model.outputs) == 1:
            results = {model.outputs[0].name: results}
    return by_case(cases, results)


def run_on_runner(
    file: _core.XmodelFile, cases: Sequence[Case], arrays: Mapping[str, Array], kernels: str
) -> list[dict[str, Array]]:
    """Run the DPU subgraph alone in the runner's own buffers; one file serves all engines."""
    runner = _core.Runner(file, "dpu", _core.DeviceOptions(kernels=kernels))
    given = inputs_of(cases, arrays)
    for info, images in zip(runner.inputs, runner.input_arrays(), strict=True):
        images[0][...] = given[info.name]
    runner.finish(runner.start())
    results = zip(runner.outputs, runner.output_arrays(), strict=True)
    return by_case(cases, {info.name: images[0].copy() for info, images in results})
