"""Streams of the vendor's files against their golden outputs, and what the checks find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nerone
from nerone import _core
from nerone.errors import ConfigurationError, ModelError
from nerone.instructions import (
    Instruction,
    Port,
    Program,
    check,
    check_stream,
    encode,
    ports_of,
    programs_of,
    run,
    run_program,
)
from paths import GOLDEN, golden

_COMPILED = sorted(path.stem for path in (GOLDEN / "compiled").glob("*.xmodel"))
_MODELS = sorted(path.stem for path in (GOLDEN / "models").glob("*.xmodel"))
_B4096 = 0x0101000016010407


def _subgraphs(graph: dict[str, Any]) -> Iterator[tuple[Program, list[Port], list[Port]]]:
    children = [each for each in graph["root"]["children"] if each["attrs"].get("device") == "DPU"]
    for program, child in zip(programs_of(graph), children, strict=True):
        yield program, *ports_of(graph, child["ops"])


@pytest.mark.parametrize("name", _COMPILED)
def test_instructions_give_the_golden_outputs(name: str) -> None:
    graph = _core.read_xmodel(golden("compiled", f"{name}.xmodel"))
    with np.load(golden("compiled", f"{name}.npz")) as arrays:
        compared = 0
        for k, (program, inputs, outputs) in enumerate(_subgraphs(graph)):
            given = {port: arrays[f"subgraph{k}|in|{port.op}"] for port in inputs}
            for tensor, found in run_program(program, given, outputs).items():
                np.testing.assert_array_equal(found, arrays[f"subgraph{k}|out|{tensor}"], err_msg=tensor)
                compared += 1
        assert compared == sum("|out|" in key for key in arrays.files)


def _first(name: str) -> tuple[Path, NDArray[np.int8], NDArray[np.int8]]:
    with np.load(golden("models", f"{name}.npz")) as arrays:
        return golden("models", f"{name}.xmodel"), arrays["input"], arrays["expected"]


@pytest.mark.parametrize("name", _MODELS)
def test_models_give_the_golden_outputs(name: str) -> None:
    path, value, expected = _first(name)
    program, (port,), (output,) = next(_subgraphs(_core.read_xmodel(path)))
    (found,) = run_program(program, {port: value.reshape(port.shape)}, [output]).values()
    np.testing.assert_array_equal(found, expected.reshape(output.shape))


@pytest.mark.parametrize("name", [*_COMPILED, *_MODELS])
def test_streams_of_the_vendor_have_nothing_to_find(name: str) -> None:
    folder = "compiled" if name in _COMPILED else "models"
    for program in programs_of(golden(folder, f"{name}.xmodel")):
        report = check_stream(program)
        assert report.findings == ()
        assert report.count == 0
        assert report.pairs > 0


def test_kernels_isa_run_behind_vart() -> None:
    path, value, expected = _first("nerone_prostate_sc")
    model = _core.Model(path, _core.DeviceOptions(kernels="isa"), until_dpu=True)
    (found,) = (np.empty(each.shape, each.dtype) for each in model.outputs)
    model.run([value.reshape(model.inputs[0].shape)], [found])
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_kernels_isa_give_a_loaded_model() -> None:
    path, _, _ = _first("nerone_prostate_sc")
    value = np.zeros(nerone.Model.load(path).inputs[0].shape, np.int8)
    results = [nerone.Model.load(path, kernels=kernels).run(value) for kernels in ("isa", "portable")]
    np.testing.assert_array_equal(*results)


def _load(bank: int, row: int, *, waits: int = 0, gives: int = 0) -> Instruction:
    fields = {"bank": bank, "addr": row, "channel": 16, "jump_read": 16}
    return Instruction("LOAD", fields, 1 | waits, 1 | gives)


def _save(bank: int, row: int, *, waits: int = 0, gives: int = 0, ddr: int = 0) -> Instruction:
    fields = {"bank": bank, "addr": row, "channel": 16, "jump_write": 16, "reg": 1, "ddr": ddr}
    return Instruction("SAVE", fields, 2 | waits, 2 | gives)


def _kinds(*stream: Instruction) -> list[str]:
    code = encode([*stream, Instruction("END", {}, 2, 2)], 1)
    return [each.kind for each in check(code, _B4096).findings]


def test_an_ordered_stream_has_no_findings() -> None:
    assert _kinds(_load(0, 0, gives=2), _save(0, 0, waits=1)) == []


@pytest.mark.parametrize(
    ("stream", "kinds"),
    [
        ((_load(0, 0), _save(0, 0)), ["read after write"]),
        ((_load(0, 0, gives=2), _save(0, 0, waits=1), _load(0, 0)), ["write after read"]),
        ((_save(0, 0),), ["unwritten"]),
        ((_load(0, 0), _save(0, 0, waits=1)), ["token", "read after write"]),
        ((_load(0, 0, gives=2),), ["token"]),
        ((_load(0, 0, gives=2), _save(0, 1, waits=1)), ["unwritten"]),
    ],
)
def test_each_kind_is_found(stream: tuple[Instruction, ...], kinds: list[str]) -> None:
    assert _kinds(*stream) == kinds


def test_checks_can_be_left_out() -> None:
    code = encode([_load(0, 0), _save(0, 0), _save(0, 9), Instruction("END", {}, 2, 2)], 1)
    assert check(code, _B4096).count == 2
    assert check(code, _B4096, order=False).count == 1
    assert check(code, _B4096, unwritten=False).count == 1
    assert check(code, _B4096, order=False, unwritten=False).count == 0


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (_load(63, 0), "bank 63 of a B4096, which has 34"),
        (Instruction("CONV"), "no CONVINIT stands before it"),
        (Instruction("ELEW", {"num": 2}), "it has 2 inputs, 0 ELEWINIT stand before it"),
        (Instruction("LOAD", {"mode_avg": 1}), "mode_avg is 1, whose effect is not known"),
    ],
)
def test_what_cannot_run_is_named(instruction: Instruction, message: str) -> None:
    code = encode([_load(0, 0), instruction, Instruction("END")], 1)
    with pytest.raises(ModelError) as error:
        check(code, _B4096)
    assert f"instruction 1 ({instruction.name}): {message}" in str(error.value)


def test_accesses_outside_a_register_are_refused() -> None:
    code = encode([_load(0, 0, gives=2), _save(0, 0, waits=1, ddr=8), Instruction("END", {}, 2, 2)], 1)
    with pytest.raises(ModelError) as error:
        run(code, _B4096, {0: bytes(16), 1: bytes(16)})
    assert "instruction 1 (SAVE): it touches bytes 8 to 24 of register 1, which has 16" in str(error.value)
    assert run(code, _B4096, {0: bytes(range(16)), 1: bytes(24)})[1] == bytes(8) + bytes(range(16))


@pytest.mark.parametrize("fingerprint", [0x0102000016010407, 0x010100001601040A, 0x0101000010010407, 0])
def test_unknown_machines_are_refused(fingerprint: int) -> None:
    with pytest.raises(ModelError) as error:
        run(encode([Instruction("END")], 1), fingerprint, {})
    assert "fingerprint 0x" in str(error.value)


def test_registers_are_numbered() -> None:
    with pytest.raises(ConfigurationError):
        run(encode([Instruction("END")], 1), _B4096, {8: b""})
