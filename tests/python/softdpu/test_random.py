"""Every engine against the numpy statement of the arithmetic, on random ops and networks."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from softdpu import cases as model_cases
from softdpu import numpy_dpu
from softdpu.engines import ENGINES
from softdpu.random_cases import random_graph, random_op, unread

SEED = int(os.environ.get("NERONE_TEST_SEED", np.random.SeedSequence().entropy % 2**32))
OPS = int(os.environ.get("NERONE_RANDOM_OPS", 2000))
GRAPHS = int(os.environ.get("NERONE_RANDOM_GRAPHS", 200))


@cache
def generated(what: str) -> tuple[list[Any], dict[str, Any], list[dict[str, Any]]]:
    """Cases, their arrays and every node's value by the numpy statement, made once for all engines."""
    print(f"\nseed {SEED}: NERONE_TEST_SEED={SEED} repeats this run")
    make, count = (random_op, OPS) if what == "ops" else (random_graph, GRAPHS)
    rng = np.random.default_rng(SEED)
    made = [make(rng, number) for number in range(count)]
    arrays = {key: value for _, given in made for key, value in given.items()}
    cases = [case for case, _ in made]
    return cases, arrays, [numpy_dpu.run_case(case, arrays) for case in cases]


@pytest.mark.parametrize("kernels", ENGINES)
@pytest.mark.parametrize(("what", "per_file"), [("ops", 100), ("graphs", 10)])
def test_engine_equals_the_numpy_statement(what: str, per_file: int, kernels: str, tmp_path: Path) -> None:
    cases, arrays, expected = generated(what)
    for first in range(0, len(cases), per_file):
        part = cases[first : first + per_file]
        path = model_cases.write_cases(tmp_path / f"{first}.xmodel", part, arrays, cpu=frozenset())
        for case, values, got in zip(
            part, expected[first:], model_cases.run_cases(path, part, arrays, kernels), strict=False
        ):
            assert sorted(got) == sorted(unread(case))
            for name, value in got.items():
                np.testing.assert_array_equal(
                    value, values[name], err_msg=f"seed {SEED} {what} {case['id']} {name} {case['nodes']}"
                )
        path.unlink()
