"""What stands behind a pipeline: the C++ pool over VART, or the PYNQ-DPU loop in Python."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future as PoolFuture
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as PoolTimeout
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.errors import ConfigurationError, QueueClosedError, ShapeError, TimeoutError
from nerone.runtime.futures import Future
from nerone.runtime.manifest import Manifest
from nerone.runtime.options import BACKENDS, EngineOptions
from nerone.runtime.pipeline_stats import Durations, Stats
from nerone.runtime.preprocessing import Spacing, Statistics

__all__ = ["BACKENDS", "Engine", "EngineOptions", "open_engine"]

Array = NDArray[Any]


class Engine(Protocol):
    """What `nerone.Pipeline` asks of a backend."""

    threads: int
    in_flight_limit: int

    def submit(  # noqa: D102
        self,
        image: Any,
        spacing_mm: Spacing,
        statistics: Any,
        timeout_ms: int | None,
    ) -> Future: ...
    def done(self) -> int: ...  # noqa: D102
    def wait_past(self, seen: int, timeout_ms: int) -> bool: ...  # noqa: D102
    def drain(self, timeout_ms: int) -> None: ...  # noqa: D102
    def close(self, finish: bool, timeout_ms: int) -> None: ...  # noqa: D102
    def stats(self) -> Stats: ...  # noqa: D102
    def reset_stats(self) -> None: ...  # noqa: D102


def open_engine(backend: str, manifest: Manifest, options: EngineOptions) -> Engine:
    """Make the engine of a backend."""
    return VartEngine(manifest, options) if backend == "vart" else PynqEngine(manifest, options)


class VartEngine:
    """The C++ pool."""

    def __init__(self, manifest: Manifest, options: EngineOptions) -> None:
        device = options.core()
        self.threads = options.threads if options.threads is not None else _core.default_workers(device)
        self._core = _core.Pipeline(
            manifest.model_for(options.device),
            [one.to_dict() for one in manifest.per_input or (manifest.preprocessing,)],
            options.result,
            device,
            self.threads,
            options.queue_size,
            options.device_timeout_ms,
            list(options.pin_to),
        )
        self.in_flight_limit = self._core.in_flight_limit
        self._inputs = tuple(info.name for info in self._core.inputs)
        self._names = [info.name for info in self._core.results]
        self._flat = manifest.kind == "classification"
        self._classes = options.result == "classes"

    def submit(
        self,
        image: Any,
        spacing_mm: Spacing,
        statistics: Any,
        timeout_ms: int | None,
    ) -> Future:
        """Queue an image."""
        images, each = ((image,), (statistics,)) if len(self._inputs) == 1 else self._per_input(image, statistics)
        values = None if statistics is None else tuple(None if one is None else one.values for one in each)
        ticket = self._core.submit(images, spacing_mm, values, -1 if timeout_ms is None else timeout_ms)
        return Future(ticket, self._result)

    def _per_input(self, image: Any, statistics: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        images = in_order("images", image, self._inputs)
        return images, (None,) * len(images) if statistics is None else in_order("statistics", statistics, self._inputs)

    def _result(self, arrays: list[Array]) -> Any:
        results = [self._shaped(array) for array in arrays]
        return results[0] if len(results) == 1 else dict(zip(self._names, results, strict=True))

    def _shaped(self, array: Array) -> Array:
        without_batch = array.reshape(array.shape[1:]) if array.ndim > 1 and array.shape[0] == 1 else array
        if not self._flat:
            return without_batch
        return array.reshape(()) if self._classes and array.size == 1 else array.reshape(-1)

    def done(self) -> int:
        """Count frames that are done."""
        return self._core.done()

    def wait_past(self, seen: int, timeout_ms: int) -> bool:
        """Wait for one more."""
        return self._core.wait_past(seen, timeout_ms)

    def drain(self, timeout_ms: int) -> None:
        """Wait for all."""
        self._core.drain(timeout_ms)

    def close(self, finish: bool, timeout_ms: int) -> None:
        """End the workers."""
        self._core.close(finish, timeout_ms)

    def stats(self) -> Stats:
        """Return the core's numbers."""
        return Stats.of(self._core.stats())

    def reset_stats(self) -> None:
        """Count from here on."""
        self._core.reset_stats()


def in_order(what: str, given: Any, names: Sequence[str]) -> tuple[Any, ...]:
    """Return what was given for each of a network's inputs, by name or in order, in the network's order."""
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ShapeError(f"the {what} are named {sorted(given)}; the network's inputs are {sorted(names)}")
        return tuple(given[name] for name in names)
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        count = len(given) if isinstance(given, (list, tuple)) else 1
        raise ShapeError(f"got {count} {what}; the network has the inputs {list(names)}: give a dict, or one for each")
    return tuple(given)


class _PoolTicket:
    def __init__(self, future: PoolFuture[Any]) -> None:
        self._future = future

    def ready(self) -> bool:
        return self._future.done()

    def wait(self, timeout_ms: int = -1) -> Any:
        try:
            return self._future.result(None if timeout_ms < 0 else timeout_ms / 1000)
        except PoolTimeout:
            raise TimeoutError(f"the frame is not done after {timeout_ms} ms; wait again") from None


class PynqEngine:
    """The paper's loop in Python threads, each with a runner of its own."""

    def __init__(self, manifest: Manifest, options: EngineOptions) -> None:
        if options.result == "raw":
            raise ConfigurationError("backend 'pynq' has float32 buffers and gives no raw result; ask for 'real'")
        self.threads = options.threads or 1
        self.in_flight_limit = self.threads + options.queue_size
        self._manifest, self._options = manifest, options
        self._room = threading.BoundedSemaphore(self.in_flight_limit)
        self._changed = threading.Condition()
        self._loops = threading.local()
        self._closed = False
        self._times: list[tuple[float, float, bool]] = []
        self._submitted = self._finished = 0
        self._pool = ThreadPoolExecutor(self.threads, "nerone-pynq")
        self._pool.submit(self._loop).result()

    def _loop(self) -> Any:
        from nerone.backends.pynq.loop import PynqLoop

        if not hasattr(self._loops, "loop"):
            self._loops.loop = PynqLoop(
                self._manifest.model_for(self._options.device),
                preprocessing=self._manifest.preprocessing,
                options=self._options.core(),
            )
        return self._loops.loop

    def submit(
        self,
        image: Any,
        spacing_mm: Spacing,
        statistics: Any,
        timeout_ms: int | None,
    ) -> Future:
        """Queue an image."""
        if not self._room.acquire(timeout=None if timeout_ms is None else max(0, timeout_ms) / 1000):
            raise TimeoutError(f"the queue is still full after {timeout_ms} ms; submit again later")
        try:
            future = self._pool.submit(self._run, image, spacing_mm, statistics, time.perf_counter())
        except RuntimeError:
            self._room.release()
            raise QueueClosedError("the pipeline is closed; open it again") from None
        self._submitted += 1
        future.add_done_callback(self._finish)
        return Future(_PoolTicket(future), lambda value: value)

    def _run(self, image: Any, spacing_mm: Spacing, statistics: Statistics | None, start: float) -> Any:
        good = False
        try:
            scores = self._loop().scores(image, spacing_mm=spacing_mm, statistics=statistics)
            value = self._reduced(scores)
            good = True
            return value
        finally:
            self._times.append((start, time.perf_counter(), good))

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
            return self._changed.wait_for(lambda: self._finished > seen, timeout_ms / 1000)

    def drain(self, timeout_ms: int) -> None:
        """Wait for all."""
        with self._changed:
            limit = None if timeout_ms < 0 else timeout_ms / 1000
            if not self._changed.wait_for(lambda: self._finished >= self._submitted, limit):
                raise TimeoutError(f"frames are still being worked on after {timeout_ms} ms")

    def close(self, finish: bool, timeout_ms: int) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=not finish)
        self.drain(timeout_ms)

    def stats(self) -> Stats:
        """Return what the loop's own clock saw; it has one stage only."""
        times = list(self._times)
        good = [end - start for start, end, done in times if done]
        if not good:
            return Stats(self._submitted, 0, len(times))
        elapsed = max(end for _, end, _ in times) - min(start for start, _, _ in times)
        ms = np.array(good) * 1000
        p50, p90, p99 = (float(p) for p in np.percentile(ms, [50, 90, 99]))
        latency = Durations(float(ms.mean()), p50, p90, p99, float(ms.max()))
        return Stats(self._submitted, len(good), len(times) - len(good), 0, elapsed, len(good) / elapsed, latency)

    def reset_stats(self) -> None:
        """Count from here on."""
        self._times.clear()
