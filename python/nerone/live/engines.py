"""A bundle as the viewer's engine: the C++ pipeline, or the paper's Python loop for comparison."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.deployment.bundle import Bundle
from nerone.deployment.geometry import on_image_grid
from nerone.errors import ConfigurationError
from nerone.live.session import Engine, Pending, Result
from nerone.live.sources import LiveFrame
from nerone.runtime.futures import Future as PipelineFuture
from nerone.runtime.pipeline import Pipeline

__all__ = ["BundleLabels", "engine_factory", "labels_of"]


@dataclass(frozen=True)
class BundleLabels:
    """What the page shows of a bundle."""

    kind: str
    class_names: tuple[str, ...]
    colours: tuple[str, ...]
    device: str
    backends: tuple[str, ...] = ("vart", "pynq")


def labels_of(bundle: Bundle, device: str) -> BundleLabels:
    """Return a bundle's classes and colours, and where it runs."""
    colours = tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in bundle.output.colours)
    where = "software DPU, the same bits as the board's" if device == "softdpu" else device
    return BundleLabels(bundle.output.kind, tuple(bundle.output.class_names), colours, where)


def engine_factory(bundle: Bundle, device: str = "softdpu") -> Callable[[str, int], Engine]:
    """Return the function with which a session opens and changes its engine."""

    def make(backend: str, threads: int) -> Engine:
        if not 1 <= threads <= 4 * (os.cpu_count() or 1):
            raise ConfigurationError(f"{threads} threads were asked for; this machine has {os.cpu_count()} cores")
        if backend == "vart":
            return _PipelineEngine(bundle, device, threads)
        if backend == "pynq":
            return _LoopEngine(bundle, device, threads)
        raise ConfigurationError(f"there is no backend '{backend}'; choose vart or pynq")

    return make


def _result(bundle: Bundle, frame: LiveFrame, found: NDArray[Any]) -> Result:
    """Turn what the network said into a mask on the image's grid, or probabilities."""
    if bundle.output.kind == "classification":
        return Result(probabilities=np.asarray(found, np.float32).reshape(-1))
    size = (int(frame.image.shape[0]), int(frame.image.shape[1]))
    return Result(lambda: on_image_grid(bundle.preprocessing, found, size, spacing_mm=frame.stored.spacing_mm))


class _PipelineEngine:
    """The C++ pipeline."""

    name = "vart"

    def __init__(self, bundle: Bundle, device: str, threads: int) -> None:
        self._bundle = bundle
        wanted: Literal["classes", "probabilities"] = "classes"
        if bundle.output.kind == "classification":
            wanted = "probabilities"
        self._pipeline = Pipeline(bundle, threads=threads, device=device, result=wanted)
        self.threads = threads

    def submit(self, frame: LiveFrame) -> Pending:
        """Queue a frame; waits while the queue is full."""
        future = self._pipeline.submit(
            frame.image, spacing_mm=frame.stored.spacing_mm, statistics=frame.statistics, timeout_ms=30_000
        )
        return _Mapped(future, lambda found: _result(self._bundle, frame, found))

    def statistics(self) -> Mapping[str, Any]:
        """Return the pipeline's numbers in the page's words."""
        stats = self._pipeline.stats()
        stages = {name: getattr(stats, name).mean_ms for name in ("queue", "preprocess", "device", "postprocess")}
        busy = stats.fps * (stages["preprocess"] + stages["device"] + stages["postprocess"]) / 1e3 / self.threads
        return {
            "latency_ms": {"p50": stats.latency.p50_ms, "p99": stats.latency.p99_ms},
            "stages_ms": stages,
            "utilisation": min(1.0, busy),
            "queue": stats.submitted - stats.completed - stats.failed,
        }

    def close(self) -> None:
        """Drain and stop."""
        self._pipeline.close()


class _Mapped:
    """A pipeline's future as a pending result of the viewer."""

    def __init__(self, future: PipelineFuture, make: Callable[[Any], Result]) -> None:
        self._future, self._make = future, make

    def done(self) -> bool:
        return self._future.done()

    def result(self, timeout: float | None = None) -> Result:
        return self._make(self._future.result(None if timeout is None else round(timeout * 1e3)))


class _LoopEngine:
    """The paper's Python loop, one per thread."""

    name = "pynq"

    def __init__(self, bundle: Bundle, device: str, threads: int) -> None:
        from nerone import _core
        from nerone.backends.pynq.loop import PynqLoop

        self._bundle = bundle
        self.threads = threads
        options = _core.DeviceOptions(device, "auto", 0, 0, True)
        self._make: Callable[[], PynqLoop] = lambda: PynqLoop(
            bundle.host_model_path, preprocessing=bundle.preprocessing, options=options
        )
        self._loops = threading.local()
        self._taken: deque[float] = deque(maxlen=512)
        self._waiting = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nerone-pynq")
        self._pool.submit(self._loop).result()  # a model that cannot be loaded is told here

    def _loop(self) -> Any:
        if not hasattr(self._loops, "loop"):
            self._loops.loop = self._make()
        return self._loops.loop

    def submit(self, frame: LiveFrame) -> Pending:
        """Queue a frame."""
        self._waiting += 1
        return self._pool.submit(self._run, frame)

    def _run(self, frame: LiveFrame) -> Result:
        began = time.perf_counter()
        try:
            scores = self._loop().scores(frame.image, spacing_mm=frame.stored.spacing_mm, statistics=frame.statistics)
            if self._bundle.output.kind == "classification":
                shifted = np.exp(scores.reshape(-1) - scores.max())
                return Result(probabilities=(shifted / shifted.sum()).astype(np.float32))
            return _result(self._bundle, frame, scores.argmax(-1).astype(np.uint8))
        finally:
            self._waiting -= 1
            self._taken.append((time.perf_counter() - began) * 1e3)

    def statistics(self) -> Mapping[str, Any]:
        """Return the loop's numbers in the page's words; it does not tell stages apart."""
        taken = list(self._taken)
        p50, p99 = np.percentile(taken, (50, 99)) if taken else (None, None)
        return {
            "latency_ms": {"p50": p50, "p99": p99},
            "stages_ms": {"whole loop": float(np.mean(taken)) if taken else 0.0},
            "utilisation": None,
            "queue": self._waiting,
        }

    def close(self) -> None:
        """Drain and stop."""
        self._pool.shutdown()
