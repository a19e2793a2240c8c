"""`nerone.deploy`: a trained model and calibration images become a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.compilation import compile as compile_model
from nerone.compilation import find_board
from nerone.data.sources import find_sources
from nerone.deployment.bundle import Bundle, bundle_path, is_bundle
from nerone.deployment.declaration import OutputDeclaration, TensorDeclaration
from nerone.deployment.models import already_quantized, quantized_model
from nerone.deployment.quiet import import_quietly
from nerone.deployment.writing import check_target
from nerone.errors import ConfigurationError
from nerone.graph import Graph
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
    progress: Progress | None = None,
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
    progress : called with (what, done, total)

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
    with tempfile.TemporaryDirectory(prefix="nerone-") as scratch:
        compiled = compile_model(quantized, board=target.name, output=Path(scratch) / "model.xmodel", vitis_ai=vitis_ai)
        return Bundle.create(
            place,
            xmodel=compiled.path,
            preprocessing=plan.preprocessing,
            input=TensorDeclaration(**compiled.inputs[0]),
            output_tensor=TensorDeclaration(**compiled.outputs[0]),
            output=plan.output,
            board=target.name,
            fingerprint=target.fingerprint_of(vitis_ai),
            preset=chosen.name if chosen else "",
            report={"quantization": dict(quantized.report), "compilation": dict(compiled.report)},
        )


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
    return _Plan(steps, _output(out, chosen, class_names))


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
