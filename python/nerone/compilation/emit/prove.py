"""The gate: a file's instructions must give what its op graph gives, before the file is written.

Images are drawn by turns from all values and from the two extremes, where sums are largest and results saturate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ModelError
from nerone.instructions import Program, check_stream, programs_of, run

__all__ = ["Proof", "prove"]

_SEED = 11
_ALL, _EXTREMES = np.arange(-128, 128).astype(np.int8), np.array([-128, 127], np.int8)


@dataclass(frozen=True)
class Proof:
    """Outcome of a comparison.

    Attributes
    ----------
    subgraphs : int, DPU subgraphs
    instructions : int, executed
    values : int, int8 values of outputs that were equal
    """

    subgraphs: int
    instructions: int
    values: int


def prove(graph: Mapping[str, Any], images: int = 2) -> Proof:
    """Run each DPU subgraph's instructions and its ops on random images, and compare all outputs.

    Parameters
    ----------
    graph : of a compiled file, in the schema of `nerone._core.read_xmodel`
    images : random images; every second one has extreme values only

    Raises
    ------
    ModelError
        naming the subgraph and the output that differs, or the instruction that is not ordered by tokens.
    """
    from nerone import _core

    ops = {op["name"]: op for op in graph["ops"]}
    programs = {program.subgraph: program for program in programs_of(graph)}
    subgraphs = instructions = values = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xmodel"
        _core.write_xmodel(dict(graph), str(path))
        file = _core.XmodelFile(str(path))
        for child in graph["root"]["children"]:
            if child["attrs"].get("device") != "DPU":
                continue
            runner = _core.Runner(file, child["name"], _core.DeviceOptions(kernels="portable"))
            program = programs[child["name"]]
            _check_order(program)
            for number in range(images):
                choices = _EXTREMES if number % 2 else _ALL
                values += _compare(ops, child, program, runner, np.random.default_rng(_SEED + number), choices)
            instructions += len(program.instructions())
            subgraphs += 1
    return Proof(subgraphs, instructions, values)


def _check_order(program: Program) -> None:
    """Refuse a stream in which a unit relies on another one without waiting for it, or tokens do not come out even."""
    report = check_stream(program)
    if report.count:
        raise ModelError(
            f"the instructions of '{program.subgraph}' are not in order: {report.findings[0].text} "
            f"({report.count} such findings); nothing was written. Report this model, or use the vendor's compiler"
        )


def _compare(
    ops: Mapping[str, Any],
    child: Mapping[str, Any],
    program: Program,
    runner: Any,
    rng: np.random.Generator,
    choices: NDArray[np.int8],
) -> int:
    uploads = [ops[name] for name in child["ops"] if ops[name]["type"] == "upload"]
    downloads = [ops[name] for name in child["ops"] if ops[name]["type"] == "download"]
    images = {
        ops[op["inputs"]["input"][0]]["output"]["name"]: rng.choice(choices, op["output"]["shape"]) for op in uploads
    }
    registers = _registers(child["attrs"], rng)
    for op in uploads:
        _set(registers, op["output"], images[ops[op["inputs"]["input"][0]]["output"]["name"]])
    contents = {number: values.tobytes() for number, values in registers.items()}
    after = run(program.code, program.fingerprint, contents, program.dpu_name)
    registers = {number: np.frombuffer(values, np.int8) for number, values in after.items()}
    outputs = [np.empty(info.shape, np.int8) for info in runner.outputs]
    job = runner.start_on([images[info.name] for info in runner.inputs], outputs)
    runner.finish(job)
    wanted = {info.name: values for info, values in zip(runner.outputs, outputs, strict=True)}
    for op in downloads:
        found = _get(registers, ops[op["inputs"]["input"][0]]["output"])
        expected = wanted[op["output"]["name"]]
        differing = int(np.count_nonzero(found.reshape(-1) != expected.reshape(-1)))
        if differing:
            raise ModelError(
                f"the instructions of '{child['name']}' give other values than its ops: {differing} of {found.size} "
                f"of '{op['output']['name']}'; nothing was written. Report this model, or use the vendor's compiler"
            )
    return sum(values.size for values in outputs)


def _registers(attrs: Mapping[str, Any], rng: np.random.Generator) -> dict[int, NDArray[np.int8]]:
    """Return the registers as a board has them before the first image: weights, and garbage."""
    registers = {}
    for name, size in attrs["reg_id_to_size"].items():
        registers[int(name.removeprefix("REG_"))] = rng.integers(-128, 128, int(size)).astype(np.int8)
    for name, data in attrs["reg_id_to_parameter_value"].items():
        values = np.frombuffer(bytes(data), np.int8)
        registers[int(name.removeprefix("REG_"))][: values.size] = values
    return registers


def _places(tensor: Mapping[str, Any]) -> tuple[int, NDArray[np.int64]]:
    """Return the register of a tensor and the byte of each of its values."""
    attrs, shape = tensor["attrs"], tensor["shape"]
    places = np.full(shape, int(attrs["ddr_addr"]), np.int64)
    for axis, (size, step) in enumerate(zip(shape, attrs["stride"], strict=True)):
        along = [-1 if other == axis else 1 for other in range(len(shape))]
        places += (np.arange(size) * step).reshape(along)
    return int(attrs["reg_id"]), places


def _set(registers: dict[int, NDArray[np.int8]], tensor: Mapping[str, Any], values: NDArray[np.int8]) -> None:
    number, places = _places(tensor)
    registers[number][places] = values


def _get(registers: dict[int, NDArray[np.int8]], tensor: Mapping[str, Any]) -> NDArray[np.int8]:
    number, places = _places(tensor)
    return registers[number][places]
