"""Whether a file's instructions give what its op graph says, bit for bit, and are in order.

Every DPU subgraph runs by itself on random int8 inputs, once by its op graph and once by its instructions. Where an
output differs, the layers that the instructions save are compared one after the other, and the first that differs is
named.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.compat import zip
from nerone.compilation.vendor.difference import TAP, tapped
from nerone.errors import ConfigurationError, ModelError, check_whole, model_errors
from nerone.instructions.layers import layers_of
from nerone.instructions.ports import Port, port_of, ports_of
from nerone.instructions.program import Program, dpu_subgraphs
from nerone.instructions.running import check_stream, run_program
from nerone.instructions.stream import Instruction, encode

__all__ = ["SubgraphVerdict", "require_equal", "verify"]

_SEED = 13

Values = Mapping[str, NDArray[np.int8]]


@dataclass(frozen=True)
class SubgraphVerdict:
    """Findings for one DPU subgraph.

    Attributes
    ----------
    subgraph : str
    instructions : int
    images : int
        Random inputs on which both were run.
    values : int
        Output values that were compared.
    difference : str
        The first difference, "" where there is none.
    unordered : int
        Findings of the order check.
    first_finding : str
        Of these, "" where there is none.
    """

    subgraph: str
    instructions: int
    images: int
    values: int
    difference: str
    unordered: int
    first_finding: str

    @property
    def is_fine(self) -> bool:
        """Whether nothing was found."""
        return not self.difference and self.unordered == 0


def verify(
    path: str | Path, *, images: int = 2, seed: int = _SEED, inputs: Mapping[str, NDArray[np.int8]] | None = None
) -> list[SubgraphVerdict]:
    """Compare the op graph with the instructions of each DPU subgraph.

    Parameters
    ----------
    path : path of a compiled model
    images : random inputs of each subgraph
    seed : of these
    inputs : int8 arrays by the name of the tensor that a subgraph takes; one more comparison where all are there

    Raises
    ------
    ConfigurationError
        Where the file has no instructions, or ``images`` is no count.
    ModelError
        Where the file cannot be read, or one of the two cannot be run.
    """
    check_whole("images", images, 1, 10_000)
    check_whole("seed", seed, 0)
    graph = _core.read_xmodel(path)
    parts = dpu_subgraphs(graph)
    if not parts:
        raise ConfigurationError(
            f"'{path}' has no instructions (mc_code), so nothing can be compared with its op graph"
        )
    rng = np.random.default_rng(seed)
    with model_errors(path, "compile it again"):
        return [_verdict(path, graph, program, child, images, rng, inputs or {}) for program, child in parts]


def require_equal(path: str | Path, title: str = "") -> None:
    """Verify quickly, on one image; nothing where the file has no instructions. Messages call it ``title``.

    Raises
    ------
    ModelError
        Where the instructions give something else than the op graph, or are out of order.
    """
    if not dpu_subgraphs(_core.read_xmodel(path)):
        return
    for found in verify(path, images=1):
        if not found.is_fine:
            raise ModelError(
                f"{title or repr(str(path))}: the instructions of subgraph '{found.subgraph}' do not do what its "
                f"op graph says: {found.difference or found.first_finding}; compile the model again"
            )


def _verdict(
    path: str | Path,
    graph: Mapping[str, Any],
    program: Program,
    child: Mapping[str, Any],
    images: int,
    rng: np.random.Generator,
    given: Values,
) -> SubgraphVerdict:
    ports, _ = ports_of(graph, child["ops"])
    by_ops = _Runner(path, program.subgraph, "auto")
    by_instructions = _Runner(path, program.subgraph, "isa")
    values, difference, count = 0, "", 0
    for feeds in _feeds(by_ops, images, rng, given):
        expected, got = by_ops.run(feeds), by_instructions.run(feeds)
        count += 1
        values += sum(each.size for each in expected.values())
        difference = _outputs_differ(expected, got)
        if difference:
            inputs = {port: _feed_of(port, graph, feeds) for port in ports}
            difference = _first_layer(graph, program, child, inputs, feeds) or difference
            break
    report = check_stream(program)
    first = report.findings[0].text if report.findings else ""
    return SubgraphVerdict(
        program.subgraph, len(program.instructions()), count, values, difference, report.count, first
    )


class _Runner:
    """One DPU subgraph behind VART."""

    def __init__(self, path: str | Path, subgraph: str, kernels: str) -> None:
        self.runner = _core.Runner(_core.XmodelFile(path), subgraph, _core.DeviceOptions(kernels=kernels))

    def run(self, feeds: Values) -> dict[str, NDArray[np.int8]]:
        for info, arrays in zip(self.runner.inputs, self.runner.input_arrays(), strict=True):
            arrays[0][...] = feeds[info.name].reshape(arrays[0].shape)
        self.runner.finish(self.runner.start())
        found = zip(self.runner.outputs, self.runner.output_arrays(), strict=True)
        return {info.name: arrays[0].copy() for info, arrays in found}


def _feeds(runner: _Runner, images: int, rng: np.random.Generator, given: Values) -> Iterator[Values]:
    infos = runner.runner.inputs
    for _ in range(images):
        yield {info.name: rng.integers(-128, 128, info.shape).astype(np.int8) for info in infos}
    if given and all(info.name in given for info in infos):
        yield {info.name: given[info.name] for info in infos}


def _outputs_differ(expected: Values, got: Values) -> str:
    for name, values in expected.items():
        text = _counted(values, got[name])
        if text:
            return f"output '{name}' differs {text}"
    return ""


def _counted(expected: NDArray[np.int8], got: NDArray[np.int8]) -> str:
    away = np.flatnonzero(expected.reshape(-1) != got.reshape(-1))
    if not away.size:
        return ""
    place = tuple(int(axis) for axis in np.unravel_index(away[0], expected.shape))
    first, second = expected.reshape(-1)[away[0]], got.reshape(-1)[away[0]]
    return f"in {away.size} of {expected.size} values, first at {place}: {second} instead of {first}"


def _feed_of(port: Port, graph: Mapping[str, Any], feeds: Values) -> NDArray[np.int8]:
    (tensor,) = (op["output"]["name"] for op in graph["ops"] if op["name"] == port.op)
    return feeds[tensor].reshape(port.shape)


def _first_layer(
    graph: Mapping[str, Any],
    program: Program,
    child: Mapping[str, Any],
    inputs: Mapping[Port, NDArray[np.int8]],
    feeds: Values,
) -> str:
    """Name the first layer whose saved values differ; "" where it cannot be found."""
    with tempfile.TemporaryDirectory(prefix="nerone-") as scratch:
        file = str(Path(scratch) / "tapped.xmodel")
        try:
            _core.write_xmodel(tapped(graph), file)
            expected = _Runner(file, program.subgraph, "auto").run(feeds)
        except ModelError:
            return ""
    instructions = program.instructions()
    ops = {each["name"]: each for each in graph["ops"]}
    for end, layer in _last_saves(instructions, layers_of(program, instructions, graph, child["ops"])):
        port = port_of(layer, ops[layer]["output"])
        values = expected.get(f"{layer}{TAP}")
        if port is None or values is None:
            continue
        part = Program(
            program.subgraph,
            program.fingerprint,
            program.dpu_name,
            (encode([*instructions[: end + 1], Instruction("END")], program.version),),
            program.registers,
            program.register_bytes,
        )
        (got,) = run_program(part, inputs, [port]).values()
        text = _counted(values.reshape(port.shape), got)
        if text:
            return f"layer '{layer}' is the first saved one that differs, {text}"
    return ""


def _last_saves(instructions: Sequence[Instruction], layers: Sequence[str]) -> list[tuple[int, str]]:
    last = {layer: index for index, layer in enumerate(layers) if layer and instructions[index].name == "SAVE"}
    return sorted((index, layer) for layer, index in last.items())
