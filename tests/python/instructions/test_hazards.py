"""How many deleted tokens and swapped instructions are found, of those that leave a hazard by an independent judgement.

A few streams and a small sample by default; NERONE_HAZARD_SAMPLES=40 takes so many of each stream at hand.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from compilation.emit_hazards import engine_of
from instructions.hazards import Hazards, tokens_of, without
from nerone.errors import ModelError
from nerone.instructions import Instruction, Program, check, encode, programs_of, run
from paths import GOLDEN, golden

_SAMPLES = int(os.environ.get("NERONE_HAZARD_SAMPLES", "0"))
_FEW = ["compiled/dpu_mnist_b4096", "models/nerone_BCCD_zcu104", "models/prmittal_CNN_zcu104"]
_ALL = sorted(f"{folder}/{path.stem}" for folder in ("compiled", "models") for path in (GOLDEN / folder).glob("*.x*"))
_STREAMS = _ALL if _SAMPLES else _FEW
_SMALL = 8000
"""Instructions of a stream whose swaps are tried: each is run."""


@cache
def _hazards(name: str) -> list[tuple[Program, Hazards]]:
    return [(program, Hazards(program)) for program in programs_of(golden(*f"{name}.xmodel".split("/")))]


def _sample(items: list[Any], fallback: int) -> list[Any]:
    count = _SAMPLES or fallback
    return items if len(items) <= count else random.Random(len(items)).sample(items, count)


def _is_found(program: Program, instructions: list[Instruction]) -> bool:
    return check(encode(instructions, program.version), program.fingerprint, program.dpu_name).count > 0


@pytest.mark.parametrize("name", _STREAMS)
def test_deleted_tokens_that_guard_a_hazard_are_found(name: str) -> None:
    counts: Counter[str] = Counter()
    for program, hazards in _hazards(name):
        assert not hazards.is_broken(hazards.instructions)
        for token in _sample(tokens_of(hazards.instructions), 24):
            changed = without(hazards.instructions, token)
            is_broken, is_found = hazards.is_broken(changed), _is_found(program, changed)
            assert is_found == is_broken, token
            counts["deleted"] += 1
            counts["guarding"] += is_broken
            counts["found"] += is_found
    print(name, dict(counts))
    assert counts["guarding"] > 0


def _neighbours(instructions: list[Instruction]) -> list[tuple[int, int]]:
    last: dict[int, int] = {}
    found = []
    for index, each in enumerate(instructions[:-1]):
        unit = engine_of(each.name)
        if unit in last:
            found.append((last[unit], index))
        last[unit] = index
    return found


def _registers(program: Program) -> dict[int, bytes]:
    rng = np.random.default_rng(1)
    found = {}
    for number, size in program.register_bytes.items():
        known = program.registers.get(number, b"")
        found[number] = known + rng.integers(0, 256, size - len(known), np.uint8).tobytes()
    return found


@pytest.mark.parametrize("name", _STREAMS)
def test_swapped_instructions_that_leave_a_hazard_are_found(name: str) -> None:
    """By the check, or because the swapped stream computes something else."""
    counts: Counter[str] = Counter()
    for program, hazards in _hazards(name):
        if len(hazards.instructions) > _SMALL:
            continue
        registers = _registers(program)
        wanted = run(program.code, program.fingerprint, registers, program.dpu_name)
        for first, second in _sample(_neighbours(hazards.instructions), 24):
            changed = list(hazards.instructions)
            changed[first], changed[second] = changed[second], changed[first]
            counts["swapped"] += 1
            if not hazards.is_broken_by_swap(first, second):
                continue
            counts["broken"] += 1
            try:
                by_check = _is_found(program, changed)
                code = encode(changed, program.version)
                by_values = not by_check and run(code, program.fingerprint, registers, program.dpu_name) != wanted
            except ModelError:
                by_check, by_values = True, False
            counts["by check"] += by_check
            counts["by values"] += by_values
            assert by_check or by_values, (first, second)
    print(name, dict(counts))
    if not counts:
        pytest.skip(f"the streams of {name} are longer than {_SMALL} instructions")
