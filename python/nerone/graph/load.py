"""Model files as graphs, whatever their format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nerone.errors import ConfigurationError, ModelError, model_errors
from nerone.graph.graph import Graph
from nerone.graph.h5_model import H5Model, from_h5, read_h5
from nerone.graph.input_shapes import InputShape
from nerone.graph.keras_archive import from_keras_archive
from nerone.graph.keras_model import from_keras
from nerone.graph.onnx_model import from_onnx
from nerone.graph.pytorch_model import CHECKPOINT_ADVICE, CHECKPOINTS, from_pt2, from_pytorch, is_pytorch

__all__ = ["import_model", "load"]


def import_model(model: Any, *, input_shape: InputShape = None, content: H5Model | None = None) -> Graph:
    """Return the graph of ``model``: a graph, a path, a Keras model, or a PyTorch module.

    Parameters
    ----------
    content : of an h5 file, where it has been read before

    Raises
    ------
    ConfigurationError, ModelError
        As :func:`load`, :func:`nerone.graph.from_keras` and :func:`nerone.graph.pytorch_model.from_pytorch`.
    """
    if isinstance(model, Graph):
        return model
    if isinstance(model, (str, Path)):
        if content is not None:
            return _h5_graph(Path(model), content, input_shape)
        return load(model, input_shape=input_shape)
    if is_pytorch(model):
        return from_pytorch(model, input_shape=input_shape)
    return from_keras(model, input_shape=input_shape)


def load(path: str | Path, *, input_shape: InputShape = None) -> Graph:
    """Import a trained model from a file.

    Parameters
    ----------
    path : ``.keras`` (Keras 3), ``.h5`` / ``.hdf5`` (Keras 2 and 3), ``.onnx`` (opset 11 or newer) or ``.pt2``
        (PyTorch)
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open

    Raises
    ------
    ConfigurationError
        No such file, or a format that cannot be read.
    ModelError
        The model cannot be imported; the message names the layer and what to do.
    """
    file = Path(path)
    if not file.exists():
        raise ConfigurationError(f"no model file '{file}'; check the path")
    if (file / "bundle.json").is_file():
        raise ConfigurationError(f"'{file}' is a bundle, whose network is compiled already; give the trained model")
    if file.is_dir():
        raise ConfigurationError(f"'{file}' is a folder (a SavedModel?); save the model with model.save('name.keras')")
    suffix = file.suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        advice = f"; {CHECKPOINT_ADVICE}" if suffix in CHECKPOINTS else ""
        raise ConfigurationError(
            f"cannot read '{file}': expected a .keras, .h5, .onnx or .pt2 model, got '{suffix or 'no suffix'}'{advice}"
        )
    with model_errors(file):
        return reader(file, input_shape)


def _load_h5(file: Path, input_shape: InputShape) -> Graph:
    return _h5_graph(file, read_h5(file), input_shape)


def _h5_graph(file: Path, content: H5Model, input_shape: InputShape) -> Graph:
    if any(kind.startswith("Vitis>") for kind in _classes(content.config)):
        raise ModelError(f"'{file}' is already quantized by vai_q; import it with nerone.quantization.load_vai_q")
    return from_h5(file, input_shape=input_shape, model=content)


def _classes(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if "class_name" in config:
            yield str(config["class_name"])
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)


_READERS: dict[str, Callable[[Path, InputShape], Graph]] = {
    ".h5": _load_h5,
    ".hdf5": _load_h5,
    ".keras": lambda file, input_shape: from_keras_archive(file, input_shape=input_shape),
    ".pt2": lambda file, input_shape: from_pt2(file, input_shape=input_shape),
    ".onnx": lambda file, input_shape: from_onnx(file, input_shape=input_shape),
}
