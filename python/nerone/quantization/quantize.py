"""`nerone.quantize`: from a trained model to a quantized one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from nerone.errors import ConfigurationError
from nerone.graph import import_model
from nerone.graph.input_shapes import InputShape
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.methods import METHODS, Method, Task, quantize_within, run_method
from nerone.quantization.metrics import Metric
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.ptq.post_training import STRATEGIES, Strategy, check_supported
from nerone.quantization.vendor.quantizer import VendorQuantizer

__all__ = ["BACKENDS", "Backend", "quantize"]

Backend = Literal["native", "vai_q"]
BACKENDS: tuple[Backend, ...] = ("native", "vai_q")
_FORMER_BACKENDS: dict[str, Backend] = {"vitis": "vai_q"}


def quantize(
    model: Any,
    calibration: Any,
    *,
    method: Method = "ptq",
    strategy: Strategy = "default",
    backend: Backend = "native",
    vendor: VendorQuantizer | None = None,
    options: QuantizeOptions | None = None,
    input_shape: InputShape = None,
    labelled: Any = None,
    loss: Any = None,
    max_drop: float | None = None,
    validation: Any = None,
    metric: str | Metric | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QuantizedModel:
    """Quantize a trained model to int8 with power-of-two scales.

    Parameters
    ----------
    model : keras.Model, path of a .keras or .h5 file, or Graph
    calibration : preprocessed float images, as :class:`nerone.quantization.CalibrationSet` takes them: (N, H, W, C)
        array, iterable of images or batches, tuple or mapping for several inputs; or a CalibrationSet
    method : "ptq", post-training quantization; "ffq", fast finetuning of each layer after it; "qat", quantization-aware
        training after it
    strategy : "default", fix points from the whole image set where the next layers read, kernels rounded so that their
        errors cancel, and corrected biases; "vitis", the scheme of the vendor's quantizer
    backend : "native", NERONE itself; "vai_q", the vendor's vai_q_tensorflow2, for "ptq" and "ffq" (formerly "vitis")
    vendor : VendorQuantizer, with the backend "vai_q" only
    options : QuantizeOptions
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    labelled : (images, labels) for QAT; without them it learns from the float model's outputs
    loss : Keras loss for the labels
    max_drop : float, allowed drop of the metric: methods from ``method`` on are tried until one is within it, QAT
        only with labelled data
    validation : (images, truth) for the metric; where not given, ``max_drop`` compares with what the float model says
        on the calibration images. Without ``max_drop`` the drop is measured and reported
    metric : "dice", "accuracy", or a function of (truth, predictions); by default Dice for images, accuracy for vectors
    progress : called with (done, in all) within each step

    Raises
    ------
    ConfigurationError
        Unknown method, strategy or metric, missing file, no calibration images.
    ModelError
        The model cannot be imported or quantized; the message names layers and what to do.
    ShapeError, DtypeError
        The images or labels do not fit the model.

    Examples
    --------
    >>> import keras, numpy as np
    >>> net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, activation="relu")])
    >>> quantized = quantize(net, np.random.default_rng(0).random((4, 8, 8, 1), np.float32))
    >>> quantized.fix_points[net.inputs[0].name]
    7
    """
    if method not in METHODS:
        raise ConfigurationError(f"unknown method '{method}'; choose one of {', '.join(METHODS)}")
    if strategy not in STRATEGIES:
        raise ConfigurationError(f"unknown strategy '{strategy}'; choose one of {', '.join(STRATEGIES)}")
    _check_backend(_FORMER_BACKENDS.get(backend, backend), vendor, method)
    graph = import_model(model, input_shape=input_shape)
    check_supported(graph)
    images = calibration if isinstance(calibration, CalibrationSet) else CalibrationSet(graph, calibration)
    task = Task(graph, images, options or QuantizeOptions(), strategy, labelled, loss, progress, vendor)
    if max_drop is None and validation is None:
        return run_method(task, method)
    return quantize_within(task, method, max_drop, validation, metric)


def _check_backend(backend: str, vendor: VendorQuantizer | None, method: str) -> None:
    if backend not in BACKENDS:
        raise ConfigurationError(f"unknown backend '{backend}'; choose one of {', '.join(BACKENDS)}")
    if (backend == "vai_q") != (vendor is not None):
        raise ConfigurationError(
            "the backend 'vai_q' and the place of the vendor's quantizer belong together; give both: its Python, or a "
            "command that runs one"
        )
    if backend == "vai_q" and method == "qat":
        raise ConfigurationError("the backend 'vai_q' does ptq and ffq; take the backend 'native' for qat")
