"""Every engine against the numpy statement of the arithmetic, on random ops and networks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone import _core
from softdpu import cases as model_cases
from softdpu import numpy_dpu
from softdpu.engines import ENGINES
from softdpu.random_cases import random_graph, random_op, unread

SEED = int(os.environ.get("NERONE_TEST_SEED", np.random.SeedSequence().entropy % 2**32))
OPS = int(os.environ.get("NERONE_RANDOM_OPS", 2000))
GRAPHS = int(os.environ.get("NERONE_RANDOM_GRAPHS", 200))


@dataclass(frozen=True)
class Part:
    """Some cases in one model file, with every node's value by the numpy statement."""

    file: _core.XmodelFile
    cases: list[dict[str, Any]]
    arrays: dict[str, Any]
    expected: list[dict[str, Any]]


def generate(what: str, folder: Path) -> list[Part]:
    print(f"\nseed {SEED}: NERONE_TEST_SEED={SEED} repeats this run")
    make, count, per_file = (random_op, OPS, 100) if what == "ops" else (random_graph, GRAPHS, 10)
    rng = np.random.default_rng(SEED)
    parts = []
    for first in range(0, count, per_file):
        made = [make(rng, number) for number in range(first, min(first + per_file, count))]
        cases = [case for case, _ in made]
        arrays = {key: value for _, given in made for key, value in given.items()}
        path = model_cases.write_cases(folder / f"{first}.xmodel", cases, arrays, cpu=frozenset())
        parts.append(Part(_core.XmodelFile(path), cases, arrays, [numpy_dpu.run_case(case, arrays) for case in cases]))
    return parts


@pytest.fixture(scope="module", params=["ops", "graphs"])
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Part]:
    return generate(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("kernels", ENGINES)
def test_engine_equals_the_numpy_statement(parts: list[Part], kernels: str) -> None:
    for part in parts:
        results = model_cases.run_on_runner(part.file, part.cases, part.arrays, kernels)
        for case, values, got in zip(part.cases, part.expected, results, strict=True):
            assert sorted(got) == sorted(unread(case))
            for name, value in got.items():
                where = f"seed {SEED}, case {case['id']}, {name} of {case['nodes']}"
                np.testing.assert_array_equal(value, values[name], err_msg=where)
