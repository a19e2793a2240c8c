"""Model files as graphs, whatever their format."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nerone.errors import ConfigurationError, ModelError
from nerone.graph.graph import Graph
from nerone.graph.h5_model import from_h5, read_h5
from nerone.graph.input_shapes import InputShape
from nerone.graph.keras_model import from_keras
from nerone.graph.onnx_model import from_onnx

__all__ = ["import_model", "load"]


def import_model(model: Any, *, input_shape: InputShape = None) -> Graph:
    """Return the graph of ``model``: a graph, a path, or a Keras model.

    Raises
    ------
    ConfigurationError, ModelError
        As :func:`load` and :func:`nerone.graph.from_keras`.
    """
    if isinstance(model, Graph):
        return model
    if isinstance(model, (str, Path)):
        return load(model, input_shape=input_shape)
    return from_keras(model, input_shape=input_shape)


def load(path: str | Path, *, input_shape: InputShape = None) -> Graph:
    """Import a trained model from a file.

    Parameters
    ----------
    path : ``.keras`` (Keras 3), ``.h5`` / ``.hdf5`` (Keras 2 and 3) or ``.onnx`` (opset 13 or newer)
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
    if suffix in (".h5", ".hdf5"):
        return _load_h5(file, input_shape)
    if suffix == ".keras":
        return _load_keras(file, input_shape)
    if suffix == ".onnx":
        return from_onnx(file, input_shape=input_shape)
    raise ConfigurationError(
        f"cannot read '{file}': expected a .keras, .h5 or .onnx model, got '{suffix or 'no suffix'}'"
    )


def _load_h5(file: Path, input_shape: InputShape) -> Graph:
    content = read_h5(file)
    classes = set(_layer_classes(content.config))
    if any(name.startswith("Vitis>") for _, name in classes):
        raise ModelError(f"'{file}' is already quantized by vai_q; import it with nerone.quantization.load_vai_q")
    try:
        model = _keras_load(file)
    except Exception:
        # Keras 3 refuses many files of Keras 2 (renamed arguments, custom layers); the own reader takes or names them.
        return from_h5(file, input_shape=input_shape, model=content)
    return from_keras(model, input_shape=input_shape)


def _load_keras(file: Path, input_shape: InputShape) -> Graph:
    try:
        model = _keras_load(file)
    except Exception as error:
        raise ModelError(_explain(file, error)) from error
    return from_keras(model, input_shape=input_shape)


def _keras_load(file: Path) -> Any:
    try:
        import keras
    except ImportError as error:
        raise ConfigurationError("reading Keras models needs TensorFlow; install nerone[quantize]") from error
    return keras.models.load_model(file, compile=False)


def _explain(file: Path, error: Exception) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return f"'{file}' is no .keras file or is damaged; save the model again with model.save()"
    odd = [f"'{name}' ({kind})" for name, kind in _custom_layers(config)]
    if odd:
        return (
            f"'{file}' has custom layers that cannot be loaded: {', '.join(odd)}; "
            "replace them with standard Keras layers, or load the model yourself and pass the object"
        )
    return f"Keras cannot load '{file}': {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _layer_classes(config: Any) -> Iterator[tuple[str, str]]:
    if isinstance(config, dict):
        body = config.get("config")
        if "class_name" in config and isinstance(body, dict) and "name" in body:
            yield str(body["name"]), str(config["class_name"])
        for value in config.values():
            yield from _layer_classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _layer_classes(value)


def _custom_layers(config: Any) -> Iterator[tuple[str, str]]:
    if isinstance(config, dict):
        body = config.get("config")
        if "class_name" in config and isinstance(body, dict) and "name" in body:
            module = str(config.get("module") or "")
            if config["class_name"] == "Lambda" or not module.startswith("keras"):
                yield str(body["name"]), str(config["class_name"])
        for value in config.values():
            yield from _custom_layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from _custom_layers(value)
