"""Trained and quantized models as deployment takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.quantization.model import QuantizedModel

if TYPE_CHECKING:
    from nerone.graph.h5_model import H5Model

__all__ = ["already_quantized", "h5_content"]


def h5_content(model: Any) -> H5Model | None:
    """Read a model that is the path of an h5 file; it takes its time, so everybody is given what was read."""
    if not isinstance(model, (str, Path)):
        return None
    path = Path(model)
    if path.suffix.lower() not in (".h5", ".hdf5") or not path.is_file():
        return None
    from nerone.graph.h5_model import read_h5

    return read_h5(path)


def already_quantized(model: Any, content: H5Model | None = None) -> QuantizedModel | None:
    """Return a model that needs no calibration, or None.

    Parameters
    ----------
    model : a `QuantizedModel`, the path of an h5 file of vai_q, of a quantized ONNX model (QDQ) or of a
        quantized, uncompiled xmodel, or anything else
    content : of the h5 file, where it has been read before
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
    content = content or h5_content(path)
    if content is None or "Vitis>" not in str(content.config):
        return None
    from nerone.quantization.vendor.vai_q import load_vai_q

    return load_vai_q(path, model=content)
