"""HDF5 files are read in a process of their own: libhdf5 loops for ever or crashes in some that are damaged."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError, ModelError
from nerone.graph.h5_arrays import MOST_BYTES, NUMBERS

__all__ = ["read_apart", "start_reader"]

CPU_LIMIT_S = 30
"""Time of a processor for a small file; one of a gigabyte may take some four times as much."""
_BYTES_PER_S = 10 << 20
# A process that computes little for so much longer waits for a disk that does not answer.
_WALL_FACTOR = 10
_MOST_HEAD_BYTES = 256 << 20
_MOST_ANSWER_BYTES = MOST_BYTES + _MOST_HEAD_BYTES
_PART_BYTES = 1 << 20
# Between a process's last byte and its end.
_GRACE_S = 30.0
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
    reader = start_reader([kind, path, shown, str(limit_s)], None if isinstance(source, Path) else source)
    try:
        answer = _answer(reader, limit_s * _WALL_FACTOR, shown)
        code = reader.wait(_GRACE_S)
    except subprocess.TimeoutExpired as error:
        raise _endless(shown, limit_s * _WALL_FACTOR) from error
    finally:
        _end(reader)
    if code == -signal.SIGXCPU:
        raise _endless(shown, limit_s)
    if code:
        raise ModelError(
            f"'{shown}' is no readable h5 file: libhdf5 ended with code {code} in it; save the model again"
        )
    try:
        return _taken(answer)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, ModelError):
            raise
        # The file has come to rule the process that reads it.
        raise ModelError(f"'{shown}' is no readable h5 file: its reader answers in no form of ours") from error


def start_reader(words: list[str], source: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """Start the process that reads one file; ``words`` are for :func:`nerone.graph.h5_process.main`."""
    return subprocess.Popen(
        [sys.executable, "-c", _START, *words, *sys.path],
        stdin=subprocess.DEVNULL if source is None else source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )


def _answer(reader: subprocess.Popen[bytes], limit_s: float, shown: str) -> bytearray:
    """Return what the process writes: so long, and so much, at most."""
    pipe, answer, end = reader.stdout, bytearray(), time.monotonic() + limit_s
    assert pipe is not None
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, end - time.monotonic())):
                raise subprocess.TimeoutExpired(reader.args, limit_s)
            part = os.read(pipe.fileno(), _PART_BYTES)
            if not part:
                return answer
            answer += part
            if len(answer) > _MOST_ANSWER_BYTES:
                raise ModelError(f"'{shown}': its reader answers with more than {_MOST_ANSWER_BYTES >> 20} MiB")


def _end(reader: subprocess.Popen[bytes]) -> None:
    if reader.stdout is not None:
        reader.stdout.close()
    if reader.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(reader.pid, signal.SIGKILL)
        reader.wait()


def _endless(shown: str, seconds: int) -> ModelError:
    return ModelError(f"'{shown}' is damaged: libhdf5 found no end of it in {seconds} s; save the model again")


def _taken(answer: bytearray) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    line_end = answer.index(b"\n", 0, _MOST_HEAD_BYTES)
    head = json.loads(answer[:line_end])
    if "error" in head:
        name, message = head["error"]
        raise {"ConfigurationError": ConfigurationError}.get(name, ModelError)(str(message))
    arrays, start = [], line_end + 1
    for kind, shape in head["arrays"]:
        dtype, count = np.dtype(str(kind)), math.prod(shape)
        if dtype.kind not in NUMBERS or count < 0:
            raise ValueError(f"an array of {dtype} and {shape}")
        values = np.frombuffer(answer, dtype, count, start) if count else np.empty(0, dtype)
        arrays.append(values.reshape(shape).copy())
        start += count * dtype.itemsize
    if start != len(answer) or not isinstance(head["values"], dict):
        raise ValueError("there are more bytes than arrays")
    return head["values"], arrays
