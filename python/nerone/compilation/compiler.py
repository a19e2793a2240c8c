"""`nerone.compile`: a quantized model becomes an xmodel for the software DPU, and a report says what runs where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.compilation.estimate import layer_times
from nerone.compilation.lowering import lower
from nerone.compilation.mapping import mapping_report
from nerone.compilation.partition import partition
from nerone.dpu.boards import Board, find_board
from nerone.dpu.limits import dpu_limits
from nerone.errors import ConfigurationError, ModelError
from nerone.quantization.model import QuantizedModel

__all__ = ["CompiledModel", "check_memory", "check_output", "compile", "lower_to_xir", "max_parameters"]

_PARAMETERS_PER_GIB = 198_000_000 / 4  # the paper: 198 M parameters on a board with 4 GB


@dataclass(frozen=True)
class CompiledModel:
    """An xmodel on disk and the facts of it.

    Attributes
    ----------
    path : Path, the xmodel
    board : str, whose limits decided what runs on the DPU
    inputs, outputs : per tensor {"name", "shape", "fix_point"}; fix_point is None for a float one
    report : the mapping report, JSON-ready: see `nerone.compilation.mapping.mapping_report`
    """

    path: Path
    board: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    report: Mapping[str, Any]


def compile(
    quantized: QuantizedModel, *, board: str = "host", output: str | Path, vitis_ai: str | None = None
) -> CompiledModel:
    """Lower a quantized model and write it as an xmodel that the software DPU runs bit-exactly.

    Parameters
    ----------
    quantized : QuantizedModel
    board : str, "host", "ultra96v2", "kv260" or "zcu104": its DPU's limits decide what has to run on the CPU
    output : path of the xmodel; written beside and renamed, an existing file is replaced
    vitis_ai : str, optional, version of the board's overlay ("1.4" to "3.5"); the board table's default otherwise

    Returns
    -------
    CompiledModel

    Raises
    ------
    ModelError
        naming the layer that cannot be lowered, the reason and the remedy.
    ConfigurationError
        for an unknown board, a model larger than its memory, or a folder that cannot be written to.

    Examples
    --------
    >>> compiled = nerone.compile(quantized, board="kv260", output="unet.xmodel")  # doctest: +SKIP
    """
    from nerone import _core

    target = find_board(board)
    path = Path(output)
    check_output(path)
    graph, outputs, report = lower_to_xir(quantized, target, vitis_ai, uint64=_core.UInt64)
    try:
        _core.write_xmodel(graph, str(path))
    except OSError as error:
        raise ConfigurationError(f"cannot write '{path}': {error.strerror or error}; choose another folder") from error
    by_name = {op["name"]: op for op in graph["ops"]}
    inputs = tuple(_tensor(by_name[name]) for name in quantized.graph.inputs)
    return CompiledModel(path, target.name, inputs, tuple(_tensor(by_name[name]) for name in outputs), report)


def check_output(path: str | Path) -> None:
    """Refuse a path that no xmodel can be written to, before the work begins.

    Raises
    ------
    ConfigurationError
        where its folder does not exist or is read-only, or the path itself is a folder.
    """
    place = Path(path)
    if not place.parent.is_dir():
        raise ConfigurationError(f"cannot write '{place}': there is no folder '{place.parent}'; make it first")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"cannot write '{place}': the folder '{place.parent}' is read-only; choose one that you may write to"
        )
    if place.is_dir():
        raise ConfigurationError(f"cannot write '{place}': it is a folder; give a file, such as {place / 'net.xmodel'}")


def lower_to_xir(
    quantized: QuantizedModel, board: Board, vitis_ai: str | None = None, *, uint64: Any = int
) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """Lower and cut a quantized model without writing it.

    Returns
    -------
    The graph in the schema of `nerone._core.write_xmodel`, the names of its output ops, and the mapping report.
    """
    lowered, outputs, decisions = lower(quantized, board.dpu_of(vitis_ai))
    cut, root = partition(lowered, uint64=uint64)
    values = cut.to_dict(root, {"origin": "nerone"})
    times = {layer.name: layer.time_us for layer in layer_times(values, board, vitis_ai)}
    report = mapping_report(decisions, cut, root, board, vitis_ai, times)
    report["limits"] = dpu_limits(board.dpu_of(vitis_ai)) | {"parameters": max_parameters(board)}
    check_memory(report["weight_bytes"], board)
    if not any(child.attrs["device"] == "DPU" for child in root.children):
        reasons = sorted({decision.reason for decision in decisions if decision.device == "CPU"})
        why = "; ".join(reasons) or "none of them computes anything"
        raise ModelError(f"no layer of '{lowered.name}' can run on the DPU: {why}. Change these layers")
    return values, outputs, report


def max_parameters(board: Board) -> int:
    """Return how many parameters fit the board's memory."""
    return int(board.memory_gib * _PARAMETERS_PER_GIB)


def check_memory(weight_bytes: int, board: Board) -> None:
    """Refuse a model whose weights do not fit the board's memory."""
    most = max_parameters(board)
    if weight_bytes > most:
        raise ConfigurationError(
            f"the model has {weight_bytes / 1e6:.0f} M parameters; '{board.name}' with {board.memory_gib:g} GiB holds "
            f"about {most / 1e6:.0f} M. Take a smaller model or another board"
        )


def _tensor(op: Mapping[str, Any]) -> Mapping[str, Any]:
    output = op["output"]
    return {"name": output["name"], "shape": tuple(output["shape"]), "fix_point": output["attrs"].get("fix_point")}
