"""Trained Keras models as Keras's own objects, from files whose content has been read and found harmless before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nerone.errors import ConfigurationError, ModelError
from nerone.graph.graph import Op
from nerone.graph.h5_model import from_h5, read_h5
from nerone.graph.input_shapes import InputShape
from nerone.graph.keras_archive import read_keras_archive
from nerone.graph.keras_config import graph_of
from nerone.graph.keras_copy import archive_copy, h5_copy

__all__ = ["load_keras_model"]

# Keys around layers in a configuration; functions, and objects of other packages, are not among it.
_MODULES = (
    "keras",
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.regularizers",
)


def load_keras_model(path: str | Path, *, input_shape: InputShape = None) -> Any:
    """Return a Keras model from a file that may come from a stranger.

    Keras makes whatever objects a file asks for, so the file is read without it: its layers must be those that NERONE
    imports, and what stands around them Keras's own. Keras opens a file that is written from what was read.

    Parameters
    ----------
    path : ``.keras`` or ``.h5`` file
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open

    Raises
    ------
    ConfigurationError
        No such file, another format, or Keras is missing.
    ModelError
        The file cannot be read, or has a layer that NERONE does not import; the message names it.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigurationError(f"there is no model '{file}'; check the path")
    suffix = file.suffix.lower()
    if suffix == ".keras":
        stored = read_keras_archive(file)
        config, graph = stored.config, graph_of(stored.model, input_shape=input_shape)
        copy = archive_copy({"config.json": stored.config, "metadata.json": stored.metadata}, stored.arrays)
    elif suffix in (".h5", ".hdf5"):
        content = read_h5(file)
        config, graph = content.config, from_h5(file, input_shape=input_shape, model=content)
        copy = h5_copy(content)
    else:
        raise ConfigurationError(f"cannot read '{file}' with Keras: expected a .keras or .h5 model, got '{suffix}'")
    for node in graph:
        if node.op is Op.UNSUPPORTED:
            raise ModelError(f"layer '{node.layer}' ({node.attrs['layer_class']}): {node.attrs['reason']}")
    for kind, module in _objects(config):
        raise ModelError(f"'{file}' holds a '{kind}' of '{module}', which is no part of a layer; save it without")
    try:
        import keras
    except ImportError as error:
        raise ConfigurationError("running Keras models needs TensorFlow; install nerone[quantize]") from error
    try:
        with copy as path:
            return keras.models.load_model(path, compile=False)
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"Keras cannot load '{file}': {reason}") from error


def _objects(config: Any, *, layer: bool = True) -> Iterator[tuple[str, str]]:
    """Class and module of everything in a configuration that is neither a layer nor a usual part of one."""
    if isinstance(config, Mapping):
        inner = config.get("config")
        module = config.get("module")
        named = isinstance(inner, Mapping) and "name" in inner
        if "class_name" in config and module is not None and not named and str(module) not in _MODULES:
            yield str(config["class_name"]), str(module)
        for key, value in config.items():
            # Not read where nothing is compiled.
            if key != "compile_config":
                yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)
