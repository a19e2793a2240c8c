"""Files for Keras to open, written from what was read and checked: of a stranger's bytes Keras sees none."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nerone.compat import zip
from nerone.graph.h5_model import H5Model

__all__ = ["archive_copy", "h5_copy"]


@contextmanager
def h5_copy(model: H5Model) -> Iterator[Path]:
    """Give an h5 file with the configuration and the weights of a model, until the block ends."""
    import h5py

    with tempfile.TemporaryDirectory(prefix="nerone-keras-") as folder:
        path = Path(folder) / "model.h5"
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(model.config)
            weights = file.create_group("model_weights")
            for group in (file, weights):
                group.attrs["keras_version"] = model.version
                group.attrs["backend"] = "tensorflow"
            _list_names(weights, "layer_names", list(model.weights))
            for layer, variables in model.weights.items():
                # A name with slashes may lead into another layer's folder, so all have numbers of their own below it.
                stored = weights.require_group(layer)
                names = [f"nerone/{number}" for number in range(len(variables))]
                _list_names(stored, "weight_names", names)
                for name, array in zip(names, variables.values(), strict=True):
                    stored.create_dataset(name, data=array)
        yield path


@contextmanager
def archive_copy(members: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Iterator[Path]:
    """Give a .keras archive, until the block ends.

    Parameters
    ----------
    members : what its JSON files hold, by their names
    arrays : by their paths in model.weights.h5
    """
    import h5py

    with tempfile.TemporaryDirectory(prefix="nerone-keras-") as folder:
        inner, path = Path(folder) / "model.weights.h5", Path(folder) / "model.keras"
        with h5py.File(inner, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array)
        with zipfile.ZipFile(path, "w") as archive:
            for name, values in members.items():
                archive.writestr(name, json.dumps(values))
            archive.write(inner, inner.name)
        inner.unlink()
        yield path


def _list_names(group: Any, key: str, names: list[str]) -> None:
    """Store names as Keras does: in parts, as an attribute holds 64 KiB at most."""
    encoded = [name.encode("utf-8") for name in names]
    most = max(1, 60_000 // max([1, *map(len, encoded)]))
    if len(encoded) <= most:
        group.attrs[key] = encoded
        return
    for number in range(0, len(encoded), most):
        group.attrs[f"{key}{number // most}"] = encoded[number : number + most]
