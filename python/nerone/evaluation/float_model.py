"""Trained models in float32, run from their files without giving them to the framework that wrote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Float", "float_model"]

Float = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def float_model(path: str | Path) -> Float:
    """Return a trained model as a function of (N, H, W, C) float32 images, whose first output it returns.

    Parameters
    ----------
    path : .keras, .h5, .onnx or .pt2 file

    Raises
    ------
    ConfigurationError
        No such file, a format that cannot be read, or TensorFlow is missing.
    ModelError
        The model cannot be imported; the message names the layer and what to do.
    """
    from nerone.graph import load
    from nerone.quantization.executor import Executor

    graph = load(path)
    run = Executor(graph, graph.outputs[:1])
    return lambda images: run(np.ascontiguousarray(images, np.float32))[0]
