"""Keras h5 files of all versions, and those of vai_q, read with h5py alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.graph import Graph
from nerone.graph.h5_apart import read_apart
from nerone.graph.input_shapes import InputShape
from nerone.graph.keras_config import MODELS, Emit, StoredModel, graph_of
from nerone.graph.layer_table import add_layer

__all__ = ["H5Model", "from_h5", "read_h5"]


@dataclass(frozen=True)
class H5Model:
    """Content of an h5 file.

    Attributes
    ----------
    config : mapping, the model's ``get_config`` with its class name
    weights : mapping of layer name to (path of the variable, value)
    version : str, of the Keras that wrote it
    """

    config: Mapping[str, Any]
    weights: Mapping[str, Mapping[str, NDArray[Any]]]
    version: str = "2"

    @property
    def generation(self) -> int:
        """2 or 3."""
        return 3 if self.version.split(".")[0] == "3" else 2


def read_h5(path: Path) -> H5Model:
    """Read configuration and weights of a Keras h5 file.

    Raises
    ------
    ModelError
        No h5 file, one that holds weights only, or one whose arrays lie elsewhere or are too large.
    """
    values, arrays = read_apart("model", path, str(path))
    waiting = iter(arrays)
    weights = {layer: {name: next(waiting) for name in names} for layer, names in values["layers"]}
    try:
        return H5Model(json.loads(values["config"]), weights, values["version"])
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the model configuration in '{path}' is damaged: {error}") from error


def from_h5(
    path: str | Path, *, input_shape: InputShape = None, emit: Emit = add_layer, model: H5Model | None = None
) -> Graph:
    """Import a Keras h5 file without TensorFlow.

    Parameters
    ----------
    path : file written by ``model.save("name.h5")`` of Keras 2 or 3
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open
    emit : what turns one layer into nodes; importers of wrapped layers give their own
    model : the content where it has been read before

    Raises
    ------
    ModelError
        The file or its model cannot be read; the message says what to do.
    """
    content = model or read_h5(Path(path))
    variables = _LayerVariables(content)
    stored = StoredModel(content.config, variables.of, content.generation, str(path))
    return graph_of(stored, input_shape=input_shape, emit=emit)


class _LayerVariables:
    """Finds the variables of a layer; all layers inside a nested model share the group of the outermost one."""

    def __init__(self, content: H5Model) -> None:
        self._content = content
        self._names = set(_layer_names(content.config))

    def of(self, path: tuple[str, ...]) -> dict[str, NDArray[np.float32]]:
        variables = self._content.weights.get(path[0], {})
        if len(path) == 1:
            return {name.rsplit("/", 1)[-1]: value for name, value in variables.items()}
        return {
            name.rsplit("/", 1)[-1]: value
            for name, value in variables.items()
            if self._owner(name.rpartition("/")[0]) == path[-1]
        }

    def _owner(self, folder: str) -> str:
        """The layer whose variables lie in ``folder``: the longest name at its end."""
        parts = folder.split("/")
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if end in self._names), "")


def _layer_names(config: Any) -> Iterator[str]:
    """Names of all layers that are no models."""
    if isinstance(config, Mapping):
        inner = config.get("config")
        if "class_name" in config and config["class_name"] not in MODELS and isinstance(inner, Mapping):
            yield str(inner.get("name", ""))
        for value in config.values():
            yield from _layer_names(value)
    elif isinstance(config, list):
        for value in config:
            yield from _layer_names(value)
