"""The vendor's own vectors, bit for bit, through the real libvart."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nerone
from nerone.compat import zip
from paths import GOLDEN, REPOSITORY, golden
from softdpu import cases as model_cases
from softdpu import numpy_dpu
from softdpu.engines import ENGINES


def vectors_folder() -> Path:
    return GOLDEN if (GOLDEN / "ops.json").exists() else REPOSITORY / "tests/data"


@cache
def vectors() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    folder = vectors_folder()
    with np.load(folder / "ops.npz") as archive:
        return json.loads((folder / "ops.json").read_text()), dict(archive)


def is_float(case: dict[str, Any]) -> bool:
    return any(node["type"] == "softmax" for node in case["nodes"])


def assert_equal(case: dict[str, Any], got: Any, expected: Any) -> None:
    kinds = [node["type"] for node in case["nodes"] if node["kind"] == "op"]
    if is_float(case):  # the exponential is not specified to the bit
        np.testing.assert_allclose(got, expected, rtol=2e-6, err_msg=f"case {case['id']} {kinds}")
        return
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected, err_msg=f"case {case['id']} {kinds}")


def test_numpy_statement_equals_every_vector() -> None:
    cases, arrays = vectors()
    for case in cases:
        assert_equal(case, numpy_dpu.run_case(case, arrays)[case["output"]], arrays[case["expected"]])


@pytest.mark.parametrize("kernels", ENGINES)
@pytest.mark.parametrize("crossings", ["cpu", "dpu"])
def test_every_vector_through_libvart(kernels: str, crossings: str, tmp_path: Path) -> None:
    """Conversions between float and fixed stand in CPU subgraphs as in vendor files, and inside a DPU's as well."""
    cases, arrays = vectors()
    cpu = model_cases.CPU_TYPES if crossings == "cpu" else frozenset({"softmax"})
    path = model_cases.write_cases(tmp_path / "golden.xmodel", cases, arrays, cpu=cpu)
    for case, got in zip(cases, model_cases.run_cases(path, cases, arrays, kernels), strict=True):
        assert_equal(case, got[case["output"]], arrays[case["expected"]])


@pytest.mark.parametrize("number", range(0, 244, 17))
def test_a_vector_in_a_file_of_its_own(number: int, tmp_path: Path) -> None:
    cases, arrays = vectors()
    if number >= len(cases):
        pytest.skip(f"only {len(cases)} vectors")
    case = cases[number]
    path = model_cases.write_cases(tmp_path / "one.xmodel", [case], arrays, cpu=model_cases.CPU_TYPES)
    got = model_cases.run_cases(path, [case], arrays, "auto")[0]
    assert_equal(case, got[case["output"]], arrays[case["expected"]])


MODELS = sorted(path.stem for path in (GOLDEN / "models").glob("*.xmodel"))


@pytest.mark.parametrize("kernels", ENGINES)
@pytest.mark.parametrize("name", MODELS or ["models"])
def test_published_model(name: str, kernels: str) -> None:
    path = golden("models", f"{name}.xmodel")
    with np.load(path.with_suffix(".npz")) as archive:
        given, expected = archive["input"], archive["expected"]
    with nerone.Model.load(path, kernels=kernels, until="dpu") as model:
        got = model.run(np.ascontiguousarray(given.reshape(model.inputs[0].shape)))
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)
