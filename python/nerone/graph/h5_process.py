"""The process that reads an HDF5 file for :mod:`nerone.graph.h5_apart`."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nerone.errors import Error, ModelError
from nerone.graph.h5_arrays import MOST_BYTES, H5Arrays, names_attribute, open_h5

__all__ = ["READERS", "main"]

Contents = tuple[dict[str, Any], list[NDArray[Any]]]
# Of chunks and filters libhdf5 keeps a copy; the rest is the interpreter's.
_MOST_MEMORY = 2 * MOST_BYTES + (1 << 30)


def _model(source: Any, shown: str) -> Contents:
    """Configuration and variables by layer of a whole model.

    A layer whose name has slashes lies as deep in folders, so names are those of the lists.
    """
    import h5py

    with open_h5(source, shown) as file:
        raw = file.attrs.get("model_config")
        if raw is None:
            name = Path(shown).name
            raise ModelError(f"'{shown}' holds weights but no model; save the whole model with model.save('{name}')")
        if "model_weights" not in file:
            raise ModelError(f"'{shown}' has no weights; save the whole model with model.save()")
        group, places, arrays = file["model_weights"], [], []
        stored = H5Arrays(group, shown)
        listed = names_attribute(group, "layer_names")
        for layer in list(group) if listed is None else listed:
            inside = [path for path in stored.found if path.startswith(f"{layer}/")]
            item = group.get(layer)
            names = names_attribute(item, "weight_names") if isinstance(item, h5py.Group) else None
            paths = inside if names is None else [f"{layer}/{name}" for name in names]
            missing = [path for path in paths if path not in stored.found]
            if missing:
                raise ModelError(f"'{shown}' has no array '{missing[0]}' of layer '{layer}'; save the model again")
            places.append((layer, [path.removeprefix(f"{layer}/").removesuffix(":0") for path in paths]))
            arrays += [stored.read(path) for path in paths]
        version = _text(file.attrs.get("keras_version", "2"))
        return {"config": _text(raw), "version": version, "layers": places}, arrays


def _variables(source: Any, shown: str) -> Contents:
    """Variables of a .keras archive's model.weights.h5."""
    with open_h5(source, shown) as file:
        stored = H5Arrays(file, shown)
        names = [name for name in stored.found if "/vars/" in f"/{name}"]
        return {"names": names}, [stored.read(name) for name in names]


READERS: dict[str, Callable[[Any, str], Contents]] = {"model": _model, "variables": _variables}


def main(words: Sequence[str]) -> None:
    """Write a line of JSON to stdout, and the bytes of the arrays behind it.

    Parameters
    ----------
    words : kind, path ("" for stdin), name in messages, limit of processor time in s
    """
    kind, path, shown, limit_s = words
    _limit(resource.RLIMIT_AS, _used_bytes() + _MOST_MEMORY)
    _limit(resource.RLIMIT_CPU, int(limit_s) + 1)
    _limit(resource.RLIMIT_CORE, 0)
    arrays: list[NDArray[Any]] = []
    head: dict[str, Any]
    try:
        values, arrays = READERS[kind](path or sys.stdin.buffer, shown)
        head = {"values": values, "arrays": [(array.dtype.str, array.shape) for array in arrays]}
    except Error as error:
        head = {"error": (type(error).__name__, str(error))}
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        head = {"error": ("ModelError", f"'{shown}' is no readable h5 file: {reason}")}
    out = sys.stdout.buffer
    out.write(json.dumps(head).encode("ascii") + b"\n")
    for array in arrays:
        out.write(array.tobytes())
    out.flush()


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _used_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
