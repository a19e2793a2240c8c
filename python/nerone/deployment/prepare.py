"""The one way from a model of any kind to a quantized network and its surroundings, for `deploy` and `compile`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.bundle.bundle import Bundle
from nerone.data.sources import find_sources
from nerone.deployment.calibration_sampling import Reader
from nerone.deployment.plan import BundlePlan, check_given, given_preprocessing, imported, make_plan, oriented
from nerone.deployment.quantize_model import quantize_for_bundle
from nerone.deployment.quantized_models import already_quantized, h5_content
from nerone.deployment.request import Request
from nerone.errors import ConfigurationError
from nerone.quantization.model import QuantizedModel
from nerone.runtime.presets import preset as find_preset

__all__ = ["Prepared", "prepare"]

_TRAINED = (".keras", ".h5", ".hdf5", ".onnx", ".pt2")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """A network that can be compiled.

    Attributes
    ----------
    quantized : QuantizedModel
    plan : BundlePlan of what goes around it; None where it was quantized already and nothing was given
    q_model : Path of the h5 of vai_q it was read from, which the vendor's compiler takes as it is; else None
    """

    quantized: QuantizedModel
    plan: BundlePlan | None
    q_model: Path | None = None


def prepare(
    model: Any,
    request: Request,
    *,
    older: Bundle | None = None,
    with_plan: bool = True,
    progress: Progress | None = None,
) -> Prepared:
    """Return the quantized network of a model, and what goes around it.

    Parameters
    ----------
    model : path of a .keras, .h5, .onnx or .pt2 file, a Keras model, a PyTorch module, a `Graph`, a `QuantizedModel` or
        the path of one
    request : Request
    older : bundle that lends what the request leaves open
    with_plan : whether a model that is quantized already needs a plan too; a trained one always does
    progress : called with (what, done, total)

    Raises
    ------
    ConfigurationError, ModelError, ShapeError, DtypeError
        one sentence with what is wrong; what can be seen without the model is seen before it is read.
    """
    given, wanted = request.surroundings, request.quantization
    chosen = find_preset(given.preset) if isinstance(given.preset, str) else given.preset
    steps = given_preprocessing(given.preprocessing)
    if isinstance(request.calibration, (str, Path)):
        find_sources(request.calibration)
    content = h5_content(model)
    quantized = already_quantized(model, content)
    if quantized is None:
        _check_trained(model)
        check_given(chosen, steps, older)
        if request.calibration is None:
            raise ConfigurationError("no calibration images were given; give a folder with 100 to 1000 of them")
        graph = imported(model, given.input_shape, content)
    elif wanted.method != "ptq" or wanted.max_drop is not None:
        raise ConfigurationError(
            "the model is quantized already, so no method can be chosen for it; deploy the trained model"
        )
    elif not with_plan:
        return Prepared(quantized, None, _q_model(model, quantized))
    else:
        graph = quantized.graph
    plan = oriented(make_plan(graph, chosen, steps, given.class_names, older), given.orientation)
    if quantized is None:
        reader = Reader(
            plan.preprocessing,
            plan.output.class_names,
            plan.output.kind == "segmentation",
            progress,
            plan.output.covers,
        )
        quantized = quantize_for_bundle(graph, request.calibration, reader, wanted)
    return Prepared(quantized, plan, _q_model(model, quantized))


def _check_trained(model: Any) -> None:
    """Refuse a file that is no trained model before anything is asked for it."""
    if isinstance(model, (str, Path)) and (Path(model).is_dir() or Path(model).suffix.lower() not in _TRAINED):
        from nerone.graph.load import load

        load(Path(model))


def _q_model(model: Any, quantized: QuantizedModel) -> Path | None:
    return Path(model) if isinstance(model, (str, Path)) and quantized.report.get("method") == "vai_q" else None
