"""`nerone.deploy`: a trained model and calibration images become a bundle."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.compilation import Board, find_board
from nerone.compilation import compile as compile_model
from nerone.compilation.vendor import check_vendor_model, vendor_compile
from nerone.compilation.vendor_arch import Arch, arch_for
from nerone.data.sources import find_sources
from nerone.deployment.bundle import Bundle, bundle_path, is_bundle
from nerone.deployment.checks import check_fit
from nerone.deployment.compiling import vendor_source
from nerone.deployment.declaration import OutputDeclaration, TensorDeclaration
from nerone.deployment.models import already_quantized, quantized_model
from nerone.deployment.quiet import import_quietly
from nerone.deployment.writing import check_target, write_error
from nerone.errors import ConfigurationError
from nerone.graph import Graph
from nerone.quantization.quantized import QuantizedModel
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import Preset
from nerone.runtime.presets import preset as find_preset

__all__ = ["deploy"]

Progress = Callable[[str, int, int], None]

# Colours of classes that no preset names: Okabe and Ito's palette after a black background.
_PALETTE = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def deploy(
    model: Any,
    *,
    calibration: Any = None,
    preset: str | Preset | None = None,
    board: str = "host",
    output: str | Path,
    preprocessing: Preprocessing | None = None,
    class_names: Sequence[str] | None = None,
    method: str = "ptq",
    images: int | None = None,
    seed: int = 0,
    vitis_ai: str | None = None,
    arch: str | Path | None = None,
    board_model: str | Path | None = None,
    progress: Progress | None = None,
    log: Callable[[str], None] | None = None,
) -> Bundle:
    """Quantize and compile a trained model and put it into a bundle with its preprocessing.

    Parameters
    ----------
    model : path of a .keras or .h5 file, a Keras model, a `Graph` or a `QuantizedModel`
    calibration : folder or file of images, or an iterable of (H, W) or (H, W, C) arrays; not needed for a model that is
        quantized already
    preset : name of a preset: preprocessing, class names and colours in one
    board : "host", "ultra96v2", "kv260" or "zcu104"
    output : the bundle to make, NAME.nerone; an older one is replaced when the new one is complete
    preprocessing : in place of the preset's
    class_names : in place of the preset's, class 0 first
    method : "ptq", "ffq" or "qat", see `nerone.quantize`
    images, seed : how many calibration images, and which
    vitis_ai : version of the board's overlay
    arch : the board's own arch.json, in place of the board table's fingerprint
    board_model : xmodel that the vendor's compiler made of this model; it is checked against the host compilation.
        Where not given, the vendor's compiler from PATH or from its container image makes it, if it is there
    progress : called with (what, done, total)
    log : called with each line of the vendor's compiler

    Returns
    -------
    Bundle

    Raises
    ------
    ConfigurationError, ModelError, ShapeError, DtypeError
        one sentence with what is wrong and what to do; nothing half-written is left behind.

    Examples
    --------
    >>> nerone.deploy("unet.keras", calibration="scans/", preset="ct-org", output="unet.nerone")  # doctest: +SKIP
    """
    target, place = find_board(board), bundle_path(output)
    target.dpu_of(vitis_ai)
    known = Arch(None) if target.is_host else arch_for(target, arch, vitis_ai)
    check_target(place, is_bundle)
    if isinstance(calibration, (str, Path)):
        find_sources(calibration)  # says what is wrong with a folder before the long work begins
    chosen = find_preset(preset) if isinstance(preset, str) else preset
    quantized = already_quantized(model)
    graph = quantized.graph if quantized else _imported(model)
    plan = _plan(graph, chosen, preprocessing, class_names)
    if quantized is None:
        quantized = quantized_model(
            graph, calibration, plan.preprocessing, method=method, images=images, seed=seed, progress=progress
        )
    try:
        scratch = tempfile.TemporaryDirectory(prefix=f".{place.name}.", suffix=".compiling", dir=place.parent)
    except OSError as error:
        raise write_error(place, error) from error
    with scratch as folder:
        compiled = compile_model(quantized, board=target.name, output=Path(folder) / "model.xmodel", vitis_ai=vitis_ai)
        source = vendor_source(model, quantized)
        fingerprint, board_xmodel = _for_board(
            quantized, target, vitis_ai, known, board_model, source, place, Path(folder), log
        )
        return Bundle.create(
            place,
            xmodel=compiled.path,
            preprocessing=plan.preprocessing,
            input=TensorDeclaration(**compiled.inputs[0]),
            output_tensor=TensorDeclaration(**compiled.outputs[0]),
            output=plan.output,
            board=target.name,
            fingerprint=fingerprint,
            preset=chosen.name if chosen else "",
            board_xmodel=board_xmodel,
            report={"quantization": dict(quantized.report), "compilation": dict(compiled.report)},
        )


def _for_board(
    quantized: QuantizedModel,
    target: Board,
    vitis_ai: str | None,
    arch: Arch,
    board_model: str | Path | None,
    q_model: Path | None,
    place: Path,
    folder: Path,
    log: Callable[[str], None] | None,
) -> tuple[int | None, Path | None]:
    """Return the board's fingerprint and the model that the vendor's compiler made for it, where there is one."""
    if target.is_host:
        return None, None
    if board_model is not None:
        made = Path(board_model)
        check = check_vendor_model(
            made, quantized, arch.fingerprint, board=target.name, vitis_ai=vitis_ai, target=arch.target
        )
        _warn(check.notes())
        return check.fingerprint, made
    # Outside of the scratch folder, so that it can be read where the compiler fails.
    log_file = place.with_name(f"{place.stem}_compile.log")
    compilation = vendor_compile(
        quantized,
        board=target.name,
        output=folder / "vendor",
        arch=arch,
        vitis_ai=vitis_ai,
        q_model=q_model,
        log=log,
        log_file=log_file,
    )
    log_file.unlink(missing_ok=True)
    if compilation.xmodel is None or compilation.check is None:
        _warn(
            [
                "the vendor's compiler is not here, so the bundle runs on the software DPU only: 'nerone compile "
                f"--board {target.name}' leaves a folder for it, then deploy again with --board-model"
            ]
        )
        return arch.fingerprint, None
    _warn(compilation.check.notes())
    return compilation.check.fingerprint, compilation.xmodel


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=4)


@dataclass(frozen=True)
class _Plan:
    preprocessing: Preprocessing
    output: OutputDeclaration


def _imported(model: Any) -> Graph:
    if not isinstance(model, Graph):
        import_quietly("tensorflow", "keras")
    from nerone.graph import import_model

    graph: Graph = import_model(model)
    return graph


def _plan(
    graph: Graph, chosen: Preset | None, preprocessing: Preprocessing | None, class_names: Sequence[str] | None
) -> _Plan:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ConfigurationError(
            f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; a bundle takes one image and "
            "gives one result. Cut the model to one of each, or use nerone.compile"
        )
    shape, out = graph[graph.inputs[0]].shape, graph[graph.outputs[0]].shape
    if len(shape) != 3:
        raise ConfigurationError(f"the model's input has shape {shape}; a bundle takes images (H, W, C)")
    steps = preprocessing or (chosen.preprocessing.with_output_size(shape[0], shape[1]) if chosen else None)
    if steps is None:
        raise ConfigurationError("neither a preset nor a preprocessing was given; name the preset of this network")
    found = _Plan(steps, _output(out, chosen, class_names))
    check_fit(steps, TensorDeclaration("", (1, *shape), None), TensorDeclaration("", (1, *out), None), found.output)
    return found


def _output(shape: tuple[int, ...], chosen: Preset | None, class_names: Sequence[str] | None) -> OutputDeclaration:
    classes = int(shape[-1])
    image = len(shape) == 3 and shape[0] * shape[1] > 1
    if chosen and class_names is None:
        declared = OutputDeclaration(chosen.output, chosen.class_names, chosen.colours, chosen.label_ids)
    else:
        names = tuple(class_names) if class_names else tuple(f"class {number}" for number in range(classes))
        colours = tuple(_PALETTE[number % len(_PALETTE)] for number in range(len(names)))
        declared = OutputDeclaration("segmentation" if image else "classification", names, colours)
    declared.check_classes(classes)
    if (declared.kind == "segmentation") != image:
        raise ConfigurationError(
            f"the preset '{chosen.name if chosen else ''}' is for {declared.kind}, the network's output has shape "
            f"{shape}; take the preset of this network"
        )
    return declared
