"""A bundle as the viewer's engine: a pipeline of either backend, with its results on the image's grid."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from nerone._core import usable_cores
from nerone.backends.futures import Future as PipelineFuture
from nerone.backends.options import BACKENDS
from nerone.bundle.bundle import Bundle
from nerone.errors import ConfigurationError
from nerone.evaluation.devices import Device
from nerone.live.results import Engine, Pending, Result
from nerone.live.sources import LiveFrame
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.preprocessing.image_grid import on_image_grid

__all__ = ["BundleLabels", "engine_factory", "labels_of"]

_STATISTICS_INTERVAL_S = 0.4


@dataclass(frozen=True)
class BundleLabels:
    """A bundle as the page shows it."""

    kind: str
    class_names: tuple[str, ...]
    colours: tuple[str, ...]
    device: str
    backends: tuple[str, ...] = BACKENDS


def labels_of(bundle: Bundle, device: Device) -> BundleLabels:
    """Return a bundle's classes and colours, and where it runs."""
    colours = tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in bundle.output.colours)
    where = "software DPU, the same bits as the board's" if device.name == "softdpu" else device.label
    return BundleLabels(bundle.output.kind, tuple(bundle.output.class_names), colours, where)


def engine_factory(bundle: Bundle, device: Device, *, compute: bool = True) -> Callable[[str, int], Engine]:
    """Return the function with which a session opens and changes its engine.

    Parameters
    ----------
    device : of `nerone.evaluation.devices.find_device`
    compute : whether the software DPU computes; without, masks are empty and only the host's side is exercised
    """

    def make(backend: str, threads: int) -> Engine:
        if not 1 <= threads <= 4 * usable_cores():
            raise ConfigurationError(f"{threads} threads were asked for; this process may use {usable_cores()} cores")
        if backend not in BACKENDS:
            raise ConfigurationError(f"there is no backend '{backend}'; choose {' or '.join(BACKENDS)}")
        return _PipelineEngine(bundle, device, cast(Literal["vart", "pynq"], backend), threads, compute)

    return make


class _PipelineEngine:
    """A pipeline whose statistics are those of the last half second."""

    def __init__(
        self, bundle: Bundle, device: Device, backend: Literal["vart", "pynq"], threads: int, compute: bool
    ) -> None:
        self._bundle = bundle
        self.name: str = backend
        self._classification = bundle.output.kind == "classification"
        self._pipeline = Pipeline(
            bundle,
            threads=threads,
            backend=backend,
            device=device.device,
            cores=device.cores,
            job_latency_us=device.job_latency_us,
            compute=compute,
            result="probabilities" if self._classification else "classes",
        )
        self.threads = threads
        self._cores = device.cores or threads
        self._in_flight = 0
        self._lock = threading.Lock()
        self._taken_s = 0.0
        self._numbers: dict[str, Any] = {"latency_ms": {"p50": None, "p99": None}, "stages_ms": {}, "utilisation": None}

    def submit(self, frame: LiveFrame) -> Pending:
        """Queue a frame; waits while the queue is full."""
        future = self._pipeline.submit(
            frame.image, spacing_mm=frame.stored.spacing_mm, statistics=frame.statistics, timeout_ms=30_000
        )
        with self._lock:
            self._in_flight += 1
        return _Mapped(future, lambda found: self._result(frame, found), self._finished)

    def _finished(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def _result(self, frame: LiveFrame, found: NDArray[Any]) -> Result:
        """Turn what the network said into a mask on the image's grid, or probabilities."""
        if self._classification:
            return Result(probabilities=np.asarray(found, np.float32).reshape(-1))
        size = (int(frame.image.shape[0]), int(frame.image.shape[1]))
        spacing = frame.stored.spacing_mm
        steps, covers = self._bundle.preprocessing, self._bundle.output.covers
        return Result(lambda: on_image_grid(steps, found, size, spacing_mm=spacing, covers=covers))

    def statistics(self) -> Mapping[str, Any]:
        """Return the pipeline's numbers in the page's words, of the time since the last call but one."""
        with self._lock:
            if time.monotonic() - self._taken_s >= _STATISTICS_INTERVAL_S:
                self._taken_s = time.monotonic()
                self._take()
            return {**self._numbers, "queue": self._in_flight}

    def _take(self) -> None:
        stats = self._pipeline.stats()
        if stats.completed == 0:
            self._numbers["utilisation"] = 0.0 if self.name == "vart" else None
            return
        self._pipeline.reset_stats()
        busy = stats.fps * stats.device.mean_ms / 1e3 / min(self._cores, self.threads)
        self._numbers = {
            "latency_ms": {"p50": stats.latency.p50_ms, "p99": stats.latency.p99_ms},
            "stages_ms": stats.stages_ms or {"whole loop": stats.latency.mean_ms},
            # The paper's loop does not tell the device's time apart.
            "utilisation": min(1.0, busy) if stats.device.mean_ms > 0 else None,
        }

    def close(self) -> None:
        """Drain and stop."""
        self._pipeline.close(timeout_ms=30_000)


class _Mapped:
    """A pipeline's future as a pending result of the viewer."""

    def __init__(self, future: PipelineFuture, make: Callable[[Any], Result], finished: Callable[[], None]) -> None:
        self._future, self._make, self._finished = future, make, finished

    def done(self) -> bool:
        return self._future.done()

    def result(self, timeout: float | None = None) -> Result:
        try:
            return self._make(self._future.result(None if timeout is None else round(timeout * 1e3)))
        finally:
            self._finished()
