"""The paper's loop as a pipeline's engine."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future as PoolFuture
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as PoolTimeout
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.backends.futures import Future
from nerone.backends.options import EngineOptions, seconds
from nerone.backends.pynq.loop import PynqLoop
from nerone.backends.statistics import Stats, StatsRecorder
from nerone.bundle.manifest import Manifest
from nerone.errors import ConfigurationError, DeviceError, QueueClosedError, TimeoutError
from nerone.runtime.preprocessing import Spacing, Statistics

__all__ = ["PynqEngine"]


class _PoolTicket:
    def __init__(self, future: PoolFuture[Any]) -> None:
        self._future = future

    def ready(self) -> bool:
        return self._future.done()

    def wait(self, timeout_ms: int = -1) -> Any:
        try:
            return self._future.result(seconds(timeout_ms))
        except PoolTimeout:
            raise TimeoutError(f"the frame is not done after {timeout_ms} ms; wait again") from None


class PynqEngine:
    """The paper's loop in Python threads, each with a runner of its own."""

    def __init__(self, manifest: Manifest, options: EngineOptions) -> None:
        if options.result == "raw":
            raise ConfigurationError("backend 'pynq' has float32 buffers and gives no raw result; ask for 'real'")
        self.threads = 1 if options.threads is None else options.threads
        self.in_flight_limit = self.threads + options.queue_size
        self._manifest, self._options = manifest, options
        self._room = threading.BoundedSemaphore(self.in_flight_limit)
        self._changed = threading.Condition()
        self._loops = threading.local()
        self._recorder = StatsRecorder()
        self._submitted = self._finished = 0
        self._process = os.getpid()
        self._pool = ThreadPoolExecutor(self.threads, "nerone-pynq")
        self._pool.submit(self._loop).result()

    def _loop(self) -> PynqLoop:
        if not hasattr(self._loops, "loop"):
            self._loops.loop = PynqLoop(
                self._manifest.model_for(self._options.device),
                preprocessing=self._manifest.preprocessing,
                options=self._options.core(),
            )
        loop: PynqLoop = self._loops.loop
        return loop

    def submit(
        self,
        image: Any,
        spacing_mm: Spacing,
        statistics: Any,
        timeout_ms: int,
    ) -> Future:
        """Queue an image."""
        if self._process != os.getpid():
            raise DeviceError(
                f"the pipeline was opened by process {self._process}, a forked child cannot use it; open another one "
                "in the child, or start it with spawn"
            )
        if not self._room.acquire(timeout=seconds(timeout_ms)):
            raise TimeoutError(f"the queue is still full after {timeout_ms} ms; submit again later")
        start_s = time.perf_counter()
        try:
            future = self._pool.submit(self._run, image, spacing_mm, statistics, start_s)
        except RuntimeError:
            self._room.release()
            raise QueueClosedError("the pipeline is closed; open it again") from None
        self._recorder.submitted(start_s)
        with self._changed:
            self._submitted += 1
        future.add_done_callback(self._finish)
        return Future(_PoolTicket(future), lambda value: value)

    def _run(self, image: Any, spacing_mm: Spacing, statistics: Statistics | None, start_s: float) -> Any:
        try:
            value = self._reduced(self._loop().scores(image, spacing_mm=spacing_mm, statistics=statistics))
        except BaseException:
            self._recorder.failed(time.perf_counter())
            raise
        self._recorder.completed(start_s, time.perf_counter())
        return value

    def _reduced(self, scores: NDArray[np.float32]) -> Any:
        flat = self._manifest.kind == "classification"
        if self._options.result == "classes":
            classes = scores.argmax(-1).astype(np.uint8)
            return classes.reshape(()) if flat and classes.size == 1 else classes
        value = scores.copy()
        if self._options.result == "probabilities":
            value = np.exp(value - value.max(-1, keepdims=True))
            value /= value.sum(-1, keepdims=True)
        return value.reshape(-1) if flat else value

    def _finish(self, _: PoolFuture[Any]) -> None:
        self._room.release()
        with self._changed:
            self._finished += 1
            self._changed.notify_all()

    def done(self) -> int:
        """Count frames that are done."""
        return self._finished

    def wait_past(self, seen: int, timeout_ms: int) -> bool:
        """Wait for one more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._finished > seen, seconds(timeout_ms))

    def drain(self, timeout_ms: int) -> None:
        """Wait for all."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._finished >= self._submitted, seconds(timeout_ms)):
                raise TimeoutError(f"frames are still being worked on after {timeout_ms} ms")

    def close(self, finish: bool, timeout_ms: int) -> None:
        """End the threads; a forked child has none."""
        if self._process != os.getpid():
            return
        self._pool.shutdown(wait=False, cancel_futures=not finish)
        self.drain(timeout_ms)

    def stats(self) -> Stats:
        """Return what the loop's own clock saw; it has one stage only."""
        return self._recorder.stats()

    def reset_stats(self) -> None:
        """Count from here on."""
        self._recorder.reset()
