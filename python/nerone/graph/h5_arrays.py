"""Arrays of HDF5 files that nobody vouches for: none outside the file, none unwritten, sizes bounded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError, ModelError

__all__ = ["MOST_BYTES", "NUMBERS", "H5Arrays", "names_attribute", "open_h5", "read_bounded"]

MOST_BYTES = 2 << 30
"""Size in bytes of all arrays of one model together; networks for a DPU have some hundred megabytes at most."""
NUMBERS = "fiub"
"""Kinds of numpy dtypes that variables may have."""


@contextmanager
def open_h5(source: Any, shown: str) -> Iterator[Any]:
    """Open an HDF5 file for reading; whatever the library raises inside becomes a ModelError.

    Parameters
    ----------
    source : path, or a binary file object
    shown : name of the file in messages
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigurationError("reading Keras models needs the package h5py; install nerone[quantize]") from error
    try:
        with h5py.File(source, "r") as file:
            yield file
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
        if isinstance(error, (ModelError, ConfigurationError)):
            raise
        raise ModelError(f"'{shown}' is no readable h5 file: {_first_line(error)}") from error


class H5Arrays:
    """The arrays below one group, by path; reading counts the bytes.

    Parameters
    ----------
    group : h5py.Group
    shown : name of the file in messages

    Raises
    ------
    ModelError
        An array lies outside the file.
    """

    def __init__(self, group: Any, shown: str) -> None:
        self._shown = shown
        self._left = MOST_BYTES
        self.found: dict[str, Any] = {}
        self._collect(group, "", set())

    def _collect(self, group: Any, folder: str, seen: set[Any]) -> None:
        import h5py

        for name in group:
            path = f"{folder}{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise self._refused(path, "is a link, which may lead out of the file")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise self._refused(path, "is stored in another file")
                self.found[path] = item
                continue
            address = h5py.h5o.get_info(item.id).addr
            if isinstance(item, h5py.Group) and address not in seen:
                self._collect(item, f"{path}/", {*seen, address})

    def read(self, path: str) -> NDArray[Any]:
        """Return the array at ``path``.

        Raises
        ------
        ModelError
            It is no array of numbers, was never written, or is too large.
        """
        item = self.found[path]
        if item.shape is None or item.dtype.kind not in NUMBERS:
            raise self._refused(path, f"holds no numbers but {item.dtype}")
        size = math.prod(item.shape) * item.dtype.itemsize
        if size and not item.id.get_storage_size():
            raise self._refused(path, f"says {item.shape} but nothing was written to it")
        if size > self._left:
            raise self._refused(path, f"of shape {item.shape} brings the model over {MOST_BYTES >> 30} GiB")
        self._left -= size
        return np.asarray(item[()])

    def _refused(self, path: str, reason: str) -> ModelError:
        return ModelError(f"'{self._shown}': the array '{path}' {reason}; save the model again with model.save()")


def names_attribute(group: Any, key: str) -> list[str] | None:
    """Return a list of names that Keras stores beside a group, in parts where it is long; None where it has none."""
    attrs = group.attrs
    parts: list[Any] = []
    if key in attrs:
        parts = list(np.asarray(attrs[key]).reshape(-1))
    elif f"{key}0" in attrs:
        number = 0
        while f"{key}{number}" in attrs:
            parts += list(np.asarray(attrs[f"{key}{number}"]).reshape(-1))
            number += 1
    else:
        return None
    return [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts]


def read_bounded(stream: IO[bytes], most: int) -> bytes | None:
    """Return all of a stream, or None where it is longer than ``most`` bytes."""
    content = stream.read(most + 1)
    return content if len(content) <= most else None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
