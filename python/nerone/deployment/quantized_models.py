"""Trained and quantized models as deployment takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.quantization.model import QuantizedModel

__all__ = ["already_quantized"]


def already_quantized(model: Any) -> QuantizedModel | None:
    """Return a model that needs no calibration, or None.

    Parameters
    ----------
    model : a `QuantizedModel`, the path of an h5 file of vai_q, of a quantized ONNX model (QDQ) or of a
        quantized, uncompiled xmodel, or anything else
    """
    if isinstance(model, QuantizedModel):
        return model
    if not isinstance(model, (str, Path)):
        return None
    path = Path(model)
    if path.suffix.lower() == ".xmodel":
        return load_quantized_xir(path)
    if path.suffix.lower() == ".onnx" and path.is_file():
        from nerone.graph.onnx_file import is_quantized
        from nerone.quantization.vendor.qdq import load_qdq

        return load_qdq(path) if is_quantized(path) else None
    if path.suffix.lower() not in (".h5", ".hdf5") or not path.is_file():
        return None
    from nerone.graph.h5_model import read_h5
    from nerone.quantization.vendor.vai_q import load_vai_q

    content = read_h5(path)
    return load_vai_q(path, model=content) if "Vitis>" in str(content.config) else None
