"""The trained float model beside the bundle, in a process of its own that takes only time nobody else wants."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.errors import ConfigurationError
from nerone.live.results import Result, Shown

__all__ = ["FloatModel"]

_LEAST_PRIORITY = 19
_KEPT_BYTES = 256 * 1024 * 1024
_LOAD_S = 600.0
_FRAME_S = 300.0


@dataclass(frozen=True)
class _Wanted:
    key: tuple[int, int]
    shown: Shown


class FloatModel:
    """Runs the trained Keras model on the frames that are shown, one at a time, newest first.

    The process has the lowest priority and one thread: while frames play it takes a fiftieth of a core at most. Masks
    of frames that come again are kept. Thread-safe.

    Parameters
    ----------
    bundle : Bundle, for its preprocessing
    model : path of the .keras, .h5, .onnx or .pt2 file
    niceness : int, of the process, 0 (as the pipeline) to 19 (only what nobody else wants)

    Raises
    ------
    ConfigurationError : there is no such file, or TensorFlow is not installed
    """

    def __init__(self, bundle: Bundle, model: str | Path, *, niceness: int = _LEAST_PRIORITY) -> None:
        path = Path(model)
        if not path.is_file():
            raise ConfigurationError(
                f"there is no model '{path}'; give the trained .keras, .h5, .onnx or .pt2 file, or leave --float"
            )
        _require_tensorflow()
        self.state = "loading"
        self.error = ""
        self._on_done: Callable[[], None] = lambda: None
        self._source_number = 0
        self._wanted: _Wanted | None = None
        self._kept: OrderedDict[tuple[int, int], Result] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Condition()
        self._closed = False
        self._process, self._connection = _start(bundle.path, path, niceness)
        self._thread = threading.Thread(target=self._run, name="nerone-live-fp32", daemon=True)
        self._thread.start()

    def when_done(self, action: Callable[[], None]) -> None:
        """Call ``action`` on this object's thread whenever a result is there or the state changed."""
        self._on_done = action

    def result(self, shown: Shown, source_number: int, *, live: bool) -> Result | None:
        """Return the float model's result for a frame; where it is not there yet, ask for it and return None.

        Parameters
        ----------
        shown : the frame on the screen
        source_number : int that differs from source to source
        live : whether the source's frames never come again
        """
        key = (source_number, shown.sequence if live else shown.index)
        with self._lock:
            if source_number != self._source_number:
                self._source_number, self._size_bytes = source_number, 0
                self._kept.clear()
            if key in self._kept:
                return self._kept[key]
            self._wanted = _Wanted(key, shown)
            self._lock.notify_all()
            return None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._process.terminate()
        self._thread.join(5.0)
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._connection.close()

    # The thread that speaks with the process.

    def _run(self) -> None:
        try:
            self._answer(_LOAD_S)
            self.state = "ready"
            while not self._closed:
                self._on_done()
                wanted = self._next()
                if wanted is not None:
                    self._compute(wanted)
        except (EOFError, OSError, ConfigurationError) as error:
            if not self._closed:
                self.state, self.error = "failed", str(error) or "the process of the float model ended"
        self._on_done()

    def _next(self) -> _Wanted | None:
        with self._lock:
            self._lock.wait_for(lambda: self._wanted is not None or self._closed)
            wanted, self._wanted = self._wanted, None
            return wanted

    def _compute(self, wanted: _Wanted) -> None:
        frame = wanted.shown.frame
        self._connection.send((frame.image, frame.stored.spacing_mm, frame.statistics))
        mask, probabilities = self._answer(_FRAME_S)
        with self._lock:
            self._kept[wanted.key] = Result(mask, probabilities)
            self._size_bytes += _size(self._kept[wanted.key])
            while self._size_bytes > _KEPT_BYTES and len(self._kept) > 1:
                self._size_bytes -= _size(self._kept.popitem(last=False)[1])

    def _answer(self, timeout_s: float) -> Any:
        if not self._connection.poll(timeout_s):
            raise ConfigurationError(f"the float model did not answer in {timeout_s:.0f} s")
        error, value = self._connection.recv()
        if error:
            raise ConfigurationError(error)
        return value


def _size(result: Result) -> int:
    mask: NDArray[np.uint8] | None = result.mask
    return 64 if mask is None else mask.nbytes


def _require_tensorflow() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("keras") is None:
        raise ConfigurationError(
            "the float model needs TensorFlow, which is not installed; install it with pip install 'nerone[quantize]', "
            "or leave --float"
        )


def _start(bundle: Path, model: Path, niceness: int) -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = multiprocessing.Pipe()
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    words = [str(theirs.fileno()), str(bundle), str(model), str(niceness)]
    process = subprocess.Popen(
        [sys.executable, "-m", "nerone.live.fp32_process", *words],
        pass_fds=[theirs.fileno()],
        env={**os.environ, **quiet},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    return process, ours
