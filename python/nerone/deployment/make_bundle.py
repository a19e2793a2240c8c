"""`nerone.deploy`: a trained model and calibration images become a bundle."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nerone import ownership
from nerone.bundle.bundle import Bundle, bundle_path, is_bundle
from nerone.bundle.declaration import TensorDeclaration
from nerone.bundle.writing import check_target, write_error
from nerone.compilation import compile as compile_model
from nerone.deployment.board_target import BoardTarget, board_target, for_board
from nerone.deployment.plan import check_surroundings, oriented
from nerone.deployment.prepare import Prepared, Progress, prepare
from nerone.deployment.redeploy import deployed_bundle, older_bundle, redeploy
from nerone.deployment.request import CalibrationDraw, Quantization, Request, Surroundings
from nerone.deployment.wrap_xmodel import is_compiled, wrap_compiled
from nerone.errors import ConfigurationError
from nerone.quantization.methods import Method
from nerone.quantization.metrics import Metric
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.ptq.post_training import Strategy
from nerone.quantization.quantize import Backend
from nerone.quantization.vendor.quantizer import VendorQuantizer
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import PRESETS, Preset

__all__ = ["deploy"]


def deploy(
    model: Any,
    *,
    calibration: Any = None,
    preset: str | Preset | None = None,
    board: str | None = None,
    output: str | Path | None = None,
    preprocessing: Preprocessing | str | Path | None = None,
    orientation: str | None = None,
    class_names: Sequence[str] | None = None,
    input_shape: tuple[int, int, int] | None = None,
    method: Method = "ptq",
    strategy: Strategy = "default",
    backend: Backend = "native",
    vendor: VendorQuantizer | None = None,
    options: QuantizeOptions | None = None,
    max_drop: float | None = None,
    validation: Any = None,
    metric: str | Metric | None = None,
    labelled: Any = None,
    images: int | None = None,
    seed: int = 0,
    class_shares: Mapping[str | int, float] | None = None,
    class_factors: Mapping[str | int, float] | None = None,
    vitis_ai: str | None = None,
    arch: str | Path | None = None,
    board_model: str | Path | None = None,
    progress: Progress | None = None,
    log: Callable[[str], None] | None = None,
) -> Bundle:
    """Quantize and compile a trained model and put it into a bundle with its preprocessing.

    Parameters
    ----------
    model : path of a .keras, .h5, .onnx or .pt2 file, a Keras model, a PyTorch module, a `Graph` or a `QuantizedModel`;
        or a bundle, which is taken as it is and copied to ``output`` where that is another folder; or a compiled
        .xmodel, which is taken unchanged, with its preset or its preprocessing and class names
    calibration : folder or file of images, what `nerone.data.labelled_frames` returns, or an iterable of (H, W) or (H,
        W, C) arrays; not needed for a model that is quantized already
    preset : name of a preset: preprocessing, class names and colours in one
    board : "host", "ultra96v2", "kv260" or "zcu104"
    output : the bundle to make, NAME.nerone; an older one is replaced when the new one is complete, and what is not
        given here (preset, preprocessing, class names, board) is taken from it
    preprocessing : in place of the preset's; also a JSON file of `Preprocessing.to_dict`, or a bundle that has it
    orientation : how the slices lie that the network was trained on, such as "RAS", in place of the preprocessing's;
        see `nerone.runtime.preprocessing.Preprocessing`
    class_names : in place of the preset's, class 0 first; for a network that ends in one sigmoid channel both classes,
        or the foreground's only
    input_shape : (H, W, C), where the model leaves sizes open
    method : "ptq", "ffq" or "qat", see `nerone.quantize`
    strategy : "default" or "vitis", the scheme of the vendor's quantizer
    backend : "native", or "vai_q": the vendor's quantizer, see `nerone.quantize`
    vendor : VendorQuantizer, with the backend "vai_q" only
    options : QuantizeOptions
    max_drop : float, allowed drop of the metric, as a share (0.005 are 0.5 percentage points): the methods from
        ``method`` on are tried until one is within it. QAT is tried where there are labels, ``labelled`` or those of
        the calibration folder
    validation : labelled images on which the drop is measured: folder as of `nerone.data.labelled_frames`, what that
        returns, or a tuple (images, truth) of arrays as stored; 200 of them at most. Without it, what the float model
        says on the calibration images stands for the truth. The drop is reported without ``max_drop`` too
    metric : "dice" (the default for segmentation), "accuracy" (for classification), or a function of (truth, scores)
    labelled : labelled images for QAT, in the forms of ``validation``; 1000 at most. The calibration images themselves
        where they have labels
    images, seed : how many calibration images at most (200 where not given), and which
    class_shares : wanted share (0 to 1) of calibration images that show a class, by name or number; with labels only
    class_factors : factor by which the share that a class has by nature is raised or lowered
    vitis_ai : version of the board's overlay
    arch : the board's own arch.json, in place of the board table's fingerprint
    board_model : xmodel that the vendor's compiler made of this model; it is checked against the host compilation.
        Where not given, the vendor's compiler from PATH or from its container image makes it, if it is there
    progress : called with (what, done, total)
    log : called with each line of the vendor's programs

    Returns
    -------
    Bundle
        Its report has the parts "quantization" (with "calibration", "steps" and "warnings") and "compilation".

    Raises
    ------
    ConfigurationError, ModelError, ShapeError, DtypeError
        one sentence with what is wrong and what to do; nothing half-written is left behind.

    Warns
    -----
    UserWarning
        Few calibration images, images that look alike or show one class only, with the numbers.

    Examples
    --------
    >>> nerone.deploy("unet.keras", calibration="scans/", preset="ct-org", output="unet.nerone")  # doctest: +SKIP
    """
    request = Request(
        calibration=calibration,
        surroundings=Surroundings(
            preset=preset,
            preprocessing=preprocessing,
            orientation=orientation,
            class_names=class_names,
            input_shape=input_shape,
        ),
        quantization=Quantization(
            method=method,
            strategy=strategy,
            backend=backend,
            vendor=vendor,
            options=options or QuantizeOptions(),
            max_drop=max_drop,
            validation=validation,
            metric=metric,
            labelled=labelled,
            draw=CalibrationDraw(
                images=images, seed=seed, class_shares=class_shares or {}, class_factors=class_factors or {}
            ),
        ),
    )
    made = deployed_bundle(model)
    if made is not None:
        changes = (
            calibration,
            preset,
            preprocessing,
            orientation,
            class_names,
            max_drop,
            validation,
            labelled,
            board_model,
        )
        return redeploy(made, output, board, changed=any(value is not None for value in changes))
    if output is None:
        raise ConfigurationError("no bundle to make was named; give output, such as unet.nerone")
    place = bundle_path(output)
    check_target(place, is_bundle)
    older = older_bundle(place)
    check_surroundings(preset, preprocessing, older)
    if is_compiled(model):
        if calibration is not None or board_model is not None or max_drop is not None:
            raise ConfigurationError(
                f"'{model}' is compiled already, so nothing of it can be quantized or compiled anew; give its preset, "
                "or its preprocessing and class names, and the board it was compiled for, and no more"
            )
        return _wrapped(model, request.surroundings, place, board or "host", older)
    target = board_target(
        board or (older.board if older else "host"), vitis_ai=vitis_ai, arch=arch, board_model=board_model, log=log
    )
    return _bundled(place, prepare(model, request, older=older, progress=progress), target)


def _wrapped(model: str | Path, given: Surroundings, place: Path, board: str, older: Bundle | None) -> Bundle:
    chosen, steps = check_surroundings(given.preset, given.preprocessing, older)
    names = given.class_names
    if chosen is None and older is not None:
        if steps is None and older.preset in PRESETS:
            chosen = PRESETS[older.preset]
        else:
            steps, names = steps or older.preprocessing, names or older.output.class_names
    return wrap_compiled(
        model,
        preset=oriented(chosen, given.orientation) if chosen else None,
        preprocessing=replace(steps, orientation=given.orientation) if steps and given.orientation else steps,
        output=place,
        board=board,
        class_names=names,
    )


def _bundled(place: Path, made: Prepared, target: BoardTarget) -> Bundle:
    quantized, plan = made.quantized, made.plan
    assert plan is not None
    try:
        ownership.sweep(place.parent, f".{glob.escape(place.name)}.*.compiling")
        prefix = f".{place.name}.{ownership.owner()}."
        scratch = tempfile.TemporaryDirectory(prefix=prefix, suffix=".compiling", dir=place.parent)
    except OSError as error:
        raise write_error(place, error) from error
    name = target.board.name
    with scratch as folder:
        compiled = compile_model(quantized, board=name, output=Path(folder) / "model.xmodel", vitis_ai=target.vitis_ai)
        fingerprint, board_xmodel = for_board(quantized, target, made.q_model, place, Path(folder))
        return Bundle.create(
            place,
            xmodel=compiled.path,
            preprocessing=plan.preprocessing,
            input=TensorDeclaration(**compiled.inputs[0]),
            output_tensor=TensorDeclaration(**compiled.outputs[0]),
            output=plan.output,
            board=name,
            fingerprint=fingerprint,
            preset=plan.preset,
            board_xmodel=board_xmodel,
            report={"quantization": dict(quantized.report), "compilation": dict(compiled.report)},
        )
