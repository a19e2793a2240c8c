""".keras archives (a zip of config.json and model.weights.h5), read without Keras."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nerone.archives import DAMAGED_ZIP
from nerone.compat import zip
from nerone.errors import ModelError
from nerone.graph.graph import Graph
from nerone.graph.h5_apart import read_apart
from nerone.graph.h5_arrays import MOST_BYTES, read_bounded
from nerone.graph.input_shapes import InputShape
from nerone.graph.keras_config import MODELS, StoredModel, body, graph_of, refuse_code

__all__ = ["KerasArchive", "from_keras_archive", "read_keras_archive"]

_LONGEST_CONFIG = 64 << 20
# Where Keras 3 and Keras 2 put the layers of a model.
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
Variables = dict[str, NDArray[Any]]


def from_keras_archive(path: str | Path, *, input_shape: InputShape = None) -> Graph:
    """Import a ``.keras`` file.

    Parameters
    ----------
    path : file written by ``model.save("name.keras")`` of Keras 3, or of Keras 2 from 2.12 on
    input_shape : (H, W, C), or a mapping by input name, where the model leaves sizes open

    Raises
    ------
    ModelError
        The file or its model cannot be read; the message says what to do.
    """
    return graph_of(read_keras_archive(Path(path)).model, input_shape=input_shape)


@dataclass(frozen=True)
class KerasArchive:
    """Content of a ``.keras`` file.

    Attributes
    ----------
    config : what config.json holds
    metadata : what metadata.json holds
    arrays : variables by their paths in model.weights.h5
    model : the model that they make
    """

    config: Any
    metadata: Any
    arrays: Mapping[str, NDArray[Any]]
    model: StoredModel


def read_keras_archive(path: Path) -> KerasArchive:
    """Read configuration and weights of a ``.keras`` file; layers that are code are refused first.

    Raises
    ------
    ModelError
        As :func:`from_keras_archive`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            config = json.loads(_member(archive, "config.json", _LONGEST_CONFIG))
            refuse_code(config, str(path))
            metadata = json.loads(
                _member(archive, "metadata.json", _LONGEST_CONFIG) if "metadata.json" in members else "{}"
            )
            if "model.weights.json" in members:
                raise ModelError(f"'{path}' has its weights in several parts; save it without max_shard_size")
            content = _member(archive, "model.weights.h5", MOST_BYTES)
    except (OSError, KeyError, *DAMAGED_ZIP) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"'{path}' is no .keras file or is damaged; save the model again with model.save()") from error
    with tempfile.TemporaryFile() as unpacked:
        unpacked.write(content)
        unpacked.seek(0)
        values, arrays = read_apart("variables", unpacked, str(path))
    stored = dict(zip(values["names"], arrays, strict=True))
    version = str(metadata.get("keras_version", "3")) if isinstance(metadata, Mapping) else "3"
    generation = 2 if version.startswith("2") else 3
    model = StoredModel(config, _Variables(config, stored, str(path)).of, generation, str(path))
    return KerasArchive(config, metadata, stored, model)


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as stream:
        content = read_bounded(stream, most)
    if content is None:
        raise ModelError(f"'{archive.filename}' unpacks to more than {most >> 20} MiB of {name}; it is no usual model")
    return content


class _Variables:
    """Finds a layer's variables: folders carry the class in small letters and a number, variables a number."""

    def __init__(self, config: Mapping[str, Any], stored: Mapping[str, NDArray[Any]], shown: str) -> None:
        self._stored, self._shown = stored, shown
        self._found: dict[tuple[str, ...], Variables] = {}
        self._by_name: dict[str, Variables] = {}
        folders = {name.split("/")[0] for name in stored}
        container = next((name for name in _CONTAINERS if name in folders), _CONTAINERS[0])
        if isinstance(config, Mapping) and config.get("class_name") in MODELS:
            self._visit(config, container, container, ())

    def of(self, path: tuple[str, ...]) -> Variables:
        # A layer that two models share is stored where it comes first.
        return self._found.get(path) or self._by_name.get(path[-1], {})

    def _visit(self, model: Mapping[str, Any], folder: str, container: str, parents: tuple[str, ...]) -> None:
        used: dict[str, int] = {}
        for layer in body(model)["layers"]:
            kind, module = str(layer["class_name"]), str(layer.get("module") or "")
            if ".ops" in module or (kind == "InputLayer" and model["class_name"] == "Sequential"):
                continue
            place = _snake_case(kind)
            used[place] = used.get(place, -1) + 1
            here = f"{folder}/{place}_{used[place]}" if used[place] else f"{folder}/{place}"
            name = str(body(layer).get("name", ""))
            if kind in MODELS:
                self._visit(layer, f"{here}/{container}", container, (*parents, name))
                continue
            found = self._named(layer, kind, here, name)
            path = (*parents, name)
            if found:
                self._found[path] = found
                self._by_name.setdefault(name, found)

    def _named(self, layer: Mapping[str, Any], kind: str, folder: str, name: str) -> Variables:
        prefix = f"{folder}/vars/"
        inside = {path.removeprefix(prefix): array for path, array in self._stored.items() if path.startswith(prefix)}
        names = _variable_names(kind, layer["config"])
        if names is None or not inside:
            return {}
        policy = layer["config"].get("dtype")
        if isinstance(policy, Mapping) and policy.get("class_name") != "DTypePolicy":
            raise ModelError(f"layer '{name}' ({kind}) was quantized by Keras; save the model before quantize()")
        if sorted(inside, key=_number) != [str(index) for index in range(len(inside))] or len(inside) != len(names):
            raise ModelError(
                f"'{self._shown}' has {len(inside)} variables of layer '{name}' ({kind}), expected {len(names)} "
                f"({', '.join(names)}); save the model again with a current Keras"
            )
        return {names[int(index)]: array for index, array in inside.items()}


def _number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (1 << 30, text)


def _snake_case(name: str) -> str:
    """Return the folder of a class. Source: Keras 3, utils/naming.py, to_snake_case."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _variable_names(kind: str, config: Mapping[str, Any]) -> list[str] | None:
    """Names of a layer's variables in the order in which they are stored; None for layers that are not taken."""
    bias = ["bias"] if config.get("use_bias", True) else []
    if kind in ("Conv2D", "Conv2DTranspose", "Dense"):
        return ["kernel", *bias]
    if kind == "DepthwiseConv2D":
        return ["depthwise_kernel", *bias]
    if kind == "SeparableConv2D":
        return ["depthwise_kernel", "pointwise_kernel", *bias]
    if kind in ("BatchNormalization", "SyncBatchNormalization"):
        gamma = ["gamma"] if config.get("scale", True) else []
        beta = ["beta"] if config.get("center", True) else []
        return [*gamma, *beta, "moving_mean", "moving_variance"]
    if kind == "Normalization":
        return ["mean", "variance", "count"] if config.get("mean") is None else None
    return ["alpha"] if kind == "PReLU" else None
