"""A compiled xmodel, the vendor's or NERONE's, becomes a bundle as it is: not a byte of it changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nerone import _core
from nerone.bundle.bundle import Bundle
from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.deployment.plan import check_given, network_classes
from nerone.dpu.boards import find_board
from nerone.dpu.fingerprints import boards_of_fingerprint
from nerone.errors import ConfigurationError
from nerone.runtime.model import Model, TensorInfo
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import Preset
from nerone.runtime.presets import preset as find_preset

__all__ = ["is_compiled", "wrap_compiled"]

# Name of the foreground of a network of two classes, where its preset names parts of it.
_WHOLE = {
    "prostate-3t": "prostate",
    "paper-prostate": "prostate",
    "brats": "whole tumour",
    "paper-brats": "whole tumour",
}


def is_compiled(path: Any) -> bool:
    """Return whether this is the path of an xmodel with a DPU subgraph, ready to run.

    Raises
    ------
    ModelError
        If it is an xmodel that cannot be read.
    """
    if not isinstance(path, (str, Path)) or Path(path).suffix != ".xmodel" or not Path(path).is_file():
        return False
    return bool(_dpu_parts(_core.read_xmodel(str(path))))


def _dpu_parts(graph: dict[str, Any]) -> list[dict[str, Any]]:
    return [part["attrs"] for part in graph["root"]["children"] if part["attrs"].get("device") == "DPU"]


def wrap_compiled(
    model: str | Path,
    *,
    preset: str | Preset | None = None,
    preprocessing: Preprocessing | None = None,
    output: str | Path,
    board: str = "host",
    class_names: Sequence[str] | None = None,
) -> Bundle:
    """Make a bundle of a compiled xmodel and the preset or the preprocessing of its network.

    Parameters
    ----------
    model : xmodel with one input and one output; copied unchanged. Sizes and scales are read from it
    preset : name of a preset, or a Preset
    preprocessing : in place of the preset's; its result has to be as large as the network's input
    output : the bundle to make, NAME.nerone
    board : "host" for the software DPU alone, or the board that the file was compiled for
    class_names : in place of the preset's, class 0 first; without either they are numbered

    Returns
    -------
    Bundle

    Raises
    ------
    ConfigurationError, ModelError
        If the file cannot run, was compiled for another board, or does not fit the preset.
    """
    chosen = find_preset(preset) if isinstance(preset, str) else preset
    check_given(chosen, preprocessing, None)
    path = Path(model)
    with Model.load(path) as opened:
        inputs, outputs = opened.inputs, opened.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ConfigurationError(
            f"'{path}' has {len(inputs)} inputs and {len(outputs)} outputs; a bundle takes one image and gives one "
            "result"
        )
    shape = inputs[0].shape
    if len(shape) != 4:
        raise ConfigurationError(f"'{path}' takes arrays of shape {shape}; a bundle takes images (N, H, W, C)")
    graph = _core.read_xmodel(str(path))
    steps = preprocessing or (chosen.preprocessing.with_output_size(shape[1], shape[2]) if chosen else None)
    assert steps is not None
    fingerprint = None if find_board(board).is_host else _fingerprint(path, graph, board)
    return Bundle.create(
        output,
        xmodel=path,
        preprocessing=steps,
        input=_declared(inputs[0]),
        output_tensor=_declared(outputs[0]),
        output=_output(chosen, outputs[0].shape[1:], class_names),
        board=board,
        fingerprint=fingerprint,
        preset=chosen.name if chosen else "",
        board_xmodel=None if fingerprint is None else path,
        report={"quantization": {}, "compiled": _summary(path, graph)},
    )


def _declared(info: TensorInfo) -> TensorDeclaration:
    return TensorDeclaration(info.name, info.shape, info.fix_point)


def _fingerprint(path: Path, graph: dict[str, Any], board: str) -> int:
    found = {int(attrs["dpu_fingerprint"]) for attrs in _dpu_parts(graph) if "dpu_fingerprint" in attrs}
    for fingerprint in found:
        if board in (name for name, _ in boards_of_fingerprint(fingerprint)):
            return fingerprint
    fits = sorted({name for fingerprint in found for name, _ in boards_of_fingerprint(fingerprint)})
    raise ConfigurationError(
        f"'{path}' was compiled for {' or '.join(fits) or 'a DPU that is in no board of the table'}, not for {board}; "
        "give that board, or 'host' for the software DPU alone"
    )


def _summary(path: Path, graph: dict[str, Any]) -> dict[str, Any]:
    """Return the file's name and work; its workload counts two operations per multiply-accumulate."""
    total = int(graph["root"]["attrs"].get("workload", 0))
    on_dpu = sum(int(attrs.get("workload", 0)) for attrs in _dpu_parts(graph))
    return {"source": path.name, "macs": total // 2, "on_dpu": on_dpu / total if total else 0.0}


def _output(chosen: Preset | None, shape: tuple[int, ...], class_names: Sequence[str] | None) -> OutputDeclaration:
    if chosen is None or not chosen.output:
        return network_classes(shape, None, class_names)
    classes = shape[-1]
    names = tuple(class_names) if class_names else chosen.class_names
    colours = chosen.colours
    if class_names is None and classes == 2 < len(names) and chosen.output == "segmentation":
        names = (chosen.class_names[0], _WHOLE.get(chosen.name, "foreground"))
    ids = chosen.label_ids if len(names) == len(chosen.class_names) else ()
    codes = chosen.codes if names == chosen.class_names else ()
    return OutputDeclaration(chosen.output, names, colours[: len(names)], ids, codes=codes)
