"""The one function users call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from nerone.errors import ConfigurationError
from nerone.graph import import_model
from nerone.graph.input_shapes import InputShape
from nerone.quantization.calibration import CalibrationSet
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.ptq import Strategy, check_supported, post_training_quantize
from nerone.quantization.quantized import QuantizedModel

__all__ = ["quantize"]

Method = Literal["ptq"]
_STRATEGIES = ("default", "vitis")


def quantize(
    model: Any,
    calibration: Any,
    *,
    method: Method = "ptq",
    strategy: Strategy = "default",
    options: QuantizeOptions | None = None,
    input_shape: InputShape = None,
    progress: Callable[[int, int], None] | None = None,
) -> QuantizedModel:
    """Quantize a trained model to int8 with power-of-two scales.

    Parameters
    ----------
    model : keras.Model, path of a .keras or .h5 file, or Graph
    calibration : preprocessed float images, as :class:`nerone.quantization.CalibrationSet` takes them: (N, H, W, C)
        array, iterable of images or batches, tuple or mapping for several inputs
    method : "ptq", post-training quantization
    strategy : "default", positions from the whole image set where the next layers read, and corrected biases;
        "vitis", the scheme of the vendor's quantizer
    options : QuantizeOptions
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    progress : called with (images done, images in all)

    Raises
    ------
    ConfigurationError
        Unknown method or strategy, missing file, no calibration images.
    ModelError
        The model cannot be imported or quantized; the message names layers and what to do.
    ShapeError, DtypeError
        The calibration images do not fit the model.

    Examples
    --------
    >>> import keras, numpy as np
    >>> net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, activation="relu")])
    >>> quantized = quantize(net, np.random.default_rng(0).random((4, 8, 8, 1), np.float32))
    >>> quantized.positions[net.inputs[0].name]
    6
    """
    if method != "ptq":
        raise ConfigurationError(f"unknown method '{method}'; choose 'ptq'")
    if strategy not in _STRATEGIES:
        raise ConfigurationError(f"unknown strategy '{strategy}'; choose one of {', '.join(_STRATEGIES)}")
    graph = import_model(model, input_shape=input_shape)
    check_supported(graph)
    images = CalibrationSet(graph, calibration)
    return post_training_quantize(graph, images, options or QuantizeOptions(), strategy=strategy, progress=progress)
