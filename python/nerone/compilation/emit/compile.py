"""From a lowered graph to a file for a board: the whole way, with the proof before the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from nerone.compat import zip
from nerone.compilation.compiler import lower_to_xir
from nerone.compilation.emit.layout import board_graph
from nerone.compilation.emit.machine import Machine, machine_of, machine_of_target
from nerone.compilation.emit.ops import SubgraphOps, read_subgraph
from nerone.compilation.emit.prove import Proof, prove
from nerone.compilation.emit.stream import Stream, compile_subgraph
from nerone.compilation.vendor.arch import Arch
from nerone.dpu.boards import DPUS, Board
from nerone.errors import ConfigurationError, ModelError
from nerone.quantization.model import QuantizedModel

__all__ = ["Emitted", "emit_for_board", "emit_graph", "emit_xmodel"]

_REGISTER_BYTES = 1 << 29  # what an instruction can address


@dataclass(frozen=True)
class Emitted:
    """A file with NERONE's own instructions.

    Attributes
    ----------
    path : Path
    machine : Machine
    proof : Proof
    workspace_bytes, moved_bytes : int, of all DPU subgraphs: REG_1, and what LOADs and SAVEs move for one image
    """

    path: Path
    machine: Machine
    proof: Proof
    workspace_bytes: int
    moved_bytes: int

    def note(self) -> str:
        """Say what it is worth, in one sentence."""
        return (
            f"{self.proof.instructions} instructions for {self.machine.name}, equal to the software DPU on "
            f"{self.proof.values} values: proved in simulation, not yet on silicon (experimental)"
        )


def emit_for_board(
    quantized: QuantizedModel, board: Board, path: str | Path, *, arch: Arch, vitis_ai: str | None = None
) -> Emitted:
    """Compile a quantized model for a board, prove the result, and write it.

    Parameters
    ----------
    quantized : QuantizedModel
    board : Board, not the host: its limits decide what runs on the CPU
    path : xmodel to write
    arch : of the board's DPU
    vitis_ai : version of the board's overlay, the board table's default otherwise

    Raises
    ------
    ModelError, ConfigurationError
        as `emit_xmodel`.
    """
    from nerone import _core

    machine = machine_of_target(arch.target) if arch.fingerprint is None else machine_of(arch.fingerprint)
    graph, _, _ = lower_to_xir(quantized, _with_dpu(board, machine, vitis_ai), vitis_ai, uint64=_core.UInt64)
    return emit_xmodel(graph, machine, path, memory_bytes=board.memory_gib * 2**30)


def _with_dpu(board: Board, machine: Machine, vitis_ai: str | None) -> Board:
    """Return the board with the DPU that is compiled for, which an arch.json may say otherwise than the table."""
    dpu = replace(DPUS[machine.size], version=machine.isa)
    return replace(board, dpu={**board.dpu, vitis_ai or board.vitis_ai: dpu})


def emit_xmodel(
    graph: Mapping[str, Any], machine: Machine, path: str | Path, *, memory_bytes: float | None = None
) -> Emitted:
    """Compile a lowered graph for a DPU, prove the result, and write it.

    Parameters
    ----------
    graph : from `nerone.compilation.compiler.lower_to_xir`
    machine : the DPU
    path : xmodel to write
    memory_bytes : of the board, None where it is not known

    Raises
    ------
    ModelError
        naming the op that cannot be compiled, or what the proof found; nothing is written then.
    ConfigurationError
        where the network does not fit the board's memory, or the file cannot be written.
    """
    from nerone import _core

    _check_sizes(_least_sizes(graph), memory_bytes)
    compiled, streams = emit_graph(graph, machine)
    _check_sizes([size for each in streams for size in (len(each.parameters), *each.sizes.values())], memory_bytes)
    proof = prove(compiled)
    try:
        _core.write_xmodel(compiled, str(path))
    except OSError as error:
        raise ConfigurationError(f"cannot write '{path}': {error.strerror or error}; choose another folder") from error
    workspace = sum(stream.sizes[1] for stream in streams)
    return Emitted(Path(path), machine, proof, workspace, sum(_moved(stream) for stream in streams))


def emit_graph(graph: Mapping[str, Any], machine: Machine) -> tuple[dict[str, Any], list[Stream]]:
    """Return the compiled graph, not yet proved, and the streams of its DPU subgraphs.

    Raises
    ------
    ModelError
        naming the op that cannot be compiled.
    """
    from nerone import _core

    compiled: dict[str, tuple[SubgraphOps, Stream, bytes]] = {}
    for child in graph["root"]["children"]:
        if child["attrs"].get("device") != "DPU":
            continue
        sub = read_subgraph(graph, child)
        stream = compile_subgraph(machine, sub)
        records = [
            (instruction.name, instruction.fields, *tokens)
            for instruction, tokens in zip(stream.instructions, stream.tokens, strict=True)
        ]
        compiled[child["name"]] = (sub, stream, _core.encode_instructions(records, machine.isa))
    if not compiled:
        raise ModelError(f"'{graph['name']}' has no part for the DPU; nothing to compile for a board")
    return board_graph(graph, machine, compiled, _core.UInt64), [stream for _, stream, _ in compiled.values()]


def _least_sizes(graph: Mapping[str, Any]) -> list[int]:
    """Return the bytes of the weights, and those of each input and output, which no way of compiling makes smaller."""
    sizes = [prod(int(n) for n in op["output"]["shape"]) for op in graph["ops"] if op["type"] in ("upload", "download")]
    return [sum(len(op["attrs"]["data"]) for op in graph["ops"] if op["type"] == "const-fix"), *sizes]


def _check_sizes(sizes: list[int], memory_bytes: float | None) -> None:
    if max(sizes) > _REGISTER_BYTES:
        raise ConfigurationError(
            f"the network needs {max(sizes) / 2**20:.0f} MiB in one piece; an instruction addresses "
            f"{_REGISTER_BYTES >> 20} MiB. Take smaller images or a smaller network"
        )
    if memory_bytes is not None and sum(sizes) > memory_bytes:
        raise ConfigurationError(
            f"the network needs {sum(sizes) / 2**20:.0f} MiB, the board has {memory_bytes / 2**20:.0f}. Take smaller "
            "images, a smaller network or another board"
        )


def _moved(stream: Stream) -> int:
    return sum(
        instruction.fields["length"] * instruction.fields["channel"]
        for instruction in stream.instructions
        if instruction.name in ("LOAD", "SAVE")
    )
