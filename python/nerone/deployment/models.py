"""Trained and quantized models as deployment takes them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.deployment.calibration import calibration_images
from nerone.errors import ConfigurationError
from nerone.graph import Graph
from nerone.quantization.quantized import QuantizedModel
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["already_quantized", "quantized_model"]

Progress = Callable[[str, int, int], None]


def already_quantized(model: Any) -> QuantizedModel | None:
    """Return a model that needs no calibration, or None.

    Parameters
    ----------
    model : a `QuantizedModel`, the path of an h5 file of vai_q or of a quantized, uncompiled xmodel, or anything else
    """
    if isinstance(model, QuantizedModel):
        return model
    if not isinstance(model, (str, Path)):
        return None
    path = Path(model)
    if path.suffix.lower() == ".xmodel":
        return load_quantized_xir(path)
    if path.suffix.lower() not in (".h5", ".hdf5") or not path.is_file():
        return None
    from nerone.graph.h5_model import read_h5
    from nerone.quantization.vai_q import load_vai_q

    return load_vai_q(path) if "Vitis>" in str(read_h5(path).config) else None


def quantized_model(
    graph: Graph,
    calibration: Any,
    steps: Preprocessing,
    *,
    method: str = "ptq",
    images: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> QuantizedModel:
    """Quantize a graph with images that go through the preprocessing of the bundle.

    Raises
    ------
    ConfigurationError
        where no images are given, or the folder holds none.
    """
    from nerone.quantization import quantize

    if calibration is None:
        raise ConfigurationError("no calibration images were given; give a folder with 100 to 1000 of them")
    arrays = calibration_images(calibration, steps, images=images, seed=seed, progress=progress)
    show = (lambda done, total: progress("quantization", done, total)) if progress else None
    quantized = quantize(graph, arrays, method=method, progress=show)  # type: ignore[arg-type]
    for warning in quantized.report.get("warnings", ()):
        warnings.warn(warning, stacklevel=2)
    return quantized
