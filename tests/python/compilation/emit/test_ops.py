"""Every op that the software DPU knows: the vendor's vectors, and random ops, through NERONE's own compiler."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from compilation.emit_support import dpu_parts
from nerone.compilation.emit.compile import emit_graph
from nerone.compilation.emit.machine import SIZES, Machine, machine_of_size
from nerone.errors import ModelError
from nerone.instructions import ports_of, programs_of, run_program
from nerone.instructions.running import check_stream
from paths import GOLDEN, REPOSITORY
from runtime import xmodels
from softdpu import numpy_dpu
from softdpu.case_builder import Builder
from softdpu.cases import CPU_TYPES, case_ops
from softdpu.random_cases import random_op

# Why an op is refused, each in the words of its message.
NO_DPU = (
    "quantize it with other fix points",  # a shift that no field holds
    "upsampling, which the DPU does not have",
    "in steps that differ",
    "repeats lines and columns only",
    "the DPU fuses with no product",
    "hard sigmoid, which a DPU of Vitis AI 1.4 does not have",
    "with another fix point",
    "the DPU takes 2: split it into several",
    "reduces other axes than lines and columns",
    "pads its sides with different values",
    "averages over",
    "lies in the padding alone",
)


def _graph(case: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case as the lowered graph of one DPU subgraph, with an upload for each input."""
    built = case_ops(case, arrays, "")
    given = [op for op in built if op["type"] == "data-fix"]
    renamed = {op["name"]: f"{op['name']}_up" for op in given}
    ops = list(given)
    for op in given:
        spec = {key: op["output"][key] for key in ("shape", "data_type", "attrs")}
        ops.append(xmodels.op(renamed[op["name"]], "upload", spec, [op["name"]]))
    for op in built:
        if op in given:
            continue
        inputs = {role: [renamed.get(name, name) for name in names] for role, names in op["inputs"].items()}
        ops.append({**op, "inputs": inputs})
    output = next(op for op in built if op["name"] == case["output"])["output"]
    spec = {key: output[key] for key in ("shape", "data_type", "attrs")}
    ops.append(xmodels.op("down", "download", spec, [case["output"]]))
    children = [
        xmodels.subgraph("user", "USER", [op["name"] for op in given]),
        xmodels.subgraph("dpu", "DPU", [op["name"] for op in ops[len(given) :]]),
    ]
    root = {"name": "root", "attrs": {}, "ops": [op["name"] for op in ops], "children": children}
    return {"name": "case", "attrs": {}, "ops": ops, "root": root}


def _run(case: Mapping[str, Any], arrays: Mapping[str, Any], machine: Machine) -> Any:
    graph, _ = emit_graph(_graph(case, arrays), machine)
    (program,) = programs_of(graph)
    assert check_stream(program).count == 0
    inputs, outputs = ports_of(graph, dpu_parts(graph)[0]["ops"])
    data = {node["name"]: arrays[node["data"]] for node in case["nodes"] if node["kind"] == "data"}
    (found,) = run_program(program, {port: data[port.op] for port in inputs}, outputs).values()
    return found


def _kinds(case: Mapping[str, Any]) -> set[str]:
    return {node["type"] for node in case["nodes"] if node["kind"] == "op"}


def _is_fixed(case: Mapping[str, Any]) -> bool:
    return not _kinds(case) & (CPU_TYPES | {"softmax", "upload", "download"}) and any(
        n["kind"] == "data" for n in case["nodes"]
    )


def _compare(cases: list[tuple[Mapping[str, Any], Mapping[str, Any], Any]], isa: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number, (case, arrays, expected) in enumerate(cases):
        size = list(SIZES)[number % len(SIZES)]
        try:
            found = _run(case, arrays, machine_of_size(size, isa))
        except ModelError as error:
            why = f"case {case['id']}, {size}: {error}"
        else:
            why = ""
        if why:
            assert any(words in why for words in NO_DPU), why
            counts["refused"] += 1
            continue
        np.testing.assert_array_equal(found, expected, err_msg=f"case {case['id']}, {size}: {_kinds(case)}")
        counts["equal"] += 1
        counts.update(_kinds(case))
    print(dict(counts))
    return counts


@pytest.mark.parametrize("isa", [0, 1])
def test_the_vendors_vectors(isa: int) -> None:
    folder = GOLDEN if (GOLDEN / "ops.json").exists() else REPOSITORY / "tests/data"
    with np.load(folder / "ops.npz") as archive:
        arrays = dict(archive)
    cases = [case for case in json.loads((folder / "ops.json").read_text()) if _is_fixed(case)]
    counts = _compare([(case, arrays, arrays[case["expected"]]) for case in cases], isa)
    assert counts["equal"] > counts["refused"]


def _with_result(
    case: Mapping[str, Any], arrays: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any], Any]:
    return case, arrays, numpy_dpu.run_case(case, arrays)[case["output"]]


@pytest.mark.parametrize("isa", [0, 1])
def test_random_ops(isa: int) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    made = [random_op(rng, number) for number in range(150)]
    cases = [
        (case, arrays, numpy_dpu.run_case(case, arrays)[case["output"]]) for case, arrays in made if _is_fixed(case)
    ]
    assert _compare(cases, isa)["equal"] > len(cases) // 3


@pytest.mark.parametrize("isa", [0, 1])
def test_depth_to_space_and_back(isa: int) -> None:
    cases = []
    for number in range(8):
        build = Builder(np.random.default_rng(number), number)
        build.tile(build.input([1, 4, 6, 36]))
        cases.append(_with_result(build.case(), build.arrays))
    assert _compare(cases, isa)["equal"] == len(cases)
