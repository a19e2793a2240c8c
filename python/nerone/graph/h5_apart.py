"""HDF5 files are read in a process of their own: libhdf5 loops for ever or crashes in some that are damaged."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nerone import errors
from nerone.errors import ConfigurationError, ModelError

__all__ = ["read_apart"]

CPU_LIMIT_S = 30
"""Time of a processor for a small file; one of a gigabyte may take some four times as much."""
_BYTES_PER_S = 10 << 20
# A process that computes little for so much longer waits for a disk that does not answer.
_WALL_FACTOR = 10
_START = "import sys; sys.path[:] = sys.argv[5:]; from nerone.graph.h5_process import main; main(sys.argv[1:5])"


def read_apart(kind: str, source: Path | IO[bytes], shown: str) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Read an HDF5 file in a process whose time and memory are limited.

    Parameters
    ----------
    kind : a key of :data:`nerone.graph.h5_process.READERS`
    source : path, or an open file of the system's
    shown : name of the file in messages

    Returns
    -------
    values and arrays, as the reader of that kind gives them

    Raises
    ------
    ConfigurationError
        h5py is missing.
    ModelError
        The reader refuses the file, or cannot get through it.
    """
    if importlib.util.find_spec("h5py") is None:
        raise ConfigurationError("reading Keras models needs the package h5py; install nerone[quantize]")
    try:
        size = source.stat().st_size if isinstance(source, Path) else os.fstat(source.fileno()).st_size
    except OSError as error:
        raise ModelError(f"'{shown}' is no readable h5 file: {error.strerror}") from error
    limit_s = CPU_LIMIT_S + size // _BYTES_PER_S
    path = str(source.absolute()) if isinstance(source, Path) else ""
    words = [sys.executable, "-c", _START, kind, path, shown, str(limit_s), *sys.path]
    stdin = subprocess.DEVNULL if isinstance(source, Path) else source
    try:
        done = subprocess.run(
            words,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit_s * _WALL_FACTOR,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _endless(shown, limit_s * _WALL_FACTOR) from error
    if done.returncode == -signal.SIGXCPU:
        raise _endless(shown, limit_s)
    if done.returncode:
        raise ModelError(
            f"'{shown}' is no readable h5 file: libhdf5 ended with code {done.returncode} in it; save the model again"
        )
    return _taken(done.stdout)


def _endless(shown: str, seconds: int) -> ModelError:
    return ModelError(f"'{shown}' is damaged: libhdf5 found no end of it in {seconds} s; save the model again")


def _taken(answer: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    line, _, content = answer.partition(b"\n")
    head = json.loads(line)
    if "error" in head:
        name, message = head["error"]
        raise getattr(errors, name)(message)
    arrays, start = [], 0
    for kind, shape in head["arrays"]:
        dtype, count = np.dtype(kind), math.prod(shape)
        arrays.append(np.frombuffer(content, dtype, count, start).reshape(shape).copy() if count else np.empty(shape))
        start += count * dtype.itemsize
    return head["values"], arrays
