"""The backends of the benchmark, behind one small face: frames in, classes out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from nerone import _core
from nerone.backends.pynq.loop import PynqLoop
from nerone.bundle.bundle import Bundle
from nerone.data.frame import Frame
from nerone.evaluation.devices import Device
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.preprocessing import Statistics
from nerone.runtime.preprocessing.numpy_steps import apply

__all__ = ["Item", "Runner", "keras_runner", "pynq_runner", "vart_runner"]

Item = tuple[Frame, Optional[Statistics]]


@dataclass
class Runner:
    """A backend that takes frames.

    Attributes
    ----------
    backend : str
    threads : int
    one : function from a frame to its classes, or its probabilities
    depth : int, frames that are given before the first result is asked for
    submit : function from a frame to a function that waits for its result
    stages, latencies : functions that give mean milliseconds per stage, and percentiles, since `restart`
    restart : function that forgets the frames so far, those of the warm-up
    """

    backend: str
    threads: int
    one: Callable[[Item], Any]
    depth: int
    submit: Callable[[Item], Callable[[], Any]]
    stages: Callable[[], dict[str, float]]
    latencies: Callable[[], dict[str, float]]
    restart: Callable[[], object]

    def run_all(self, items: Sequence[Item]) -> list[Any]:
        """Run the frames and return their results in order."""
        waiting: deque[Callable[[], Any]] = deque()
        results: list[Any] = []
        for item in items:
            waiting.append(self.submit(item))
            if len(waiting) > self.depth:
                results.append(waiting.popleft()())
        return results + [wait() for wait in waiting]

    def keep_busy(self, frames: Iterator[Item], seconds: float) -> tuple[int, float]:
        """Run frames for about ``seconds``; return how many were done and how long it took."""
        waiting: deque[Callable[[], Any]] = deque()
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            waiting.append(self.submit(next(frames)))
            if len(waiting) > self.depth:
                waiting.popleft()()
                done += 1
        while waiting:
            waiting.popleft()()
            done += 1
        return done, time.perf_counter() - began


def _one_by_one(backend: str, run: Callable[[Item], Any], parts: Callable[[], dict[str, float]]) -> Runner:
    """Make a runner of a function that does everything on the caller's thread; ``parts`` tells its first stages."""
    taken: list[float] = []

    def one(item: Item) -> Any:
        began = time.perf_counter()
        result = run(item)
        taken.append((time.perf_counter() - began) * 1e3)
        return result

    def submit(item: Item) -> Callable[[], Any]:
        result = one(item)
        return lambda: result

    def stages() -> dict[str, float]:
        known = parts()
        rest = float(np.mean(taken)) - sum(known.values()) if taken else 0.0
        return {"queue": 0.0, **known, "postprocess": max(0.0, rest)} if known else {}

    def restart() -> None:
        taken.clear()
        parts()

    return Runner(backend, 1, one, 0, submit, stages, lambda: _percentiles(taken), restart)


def _percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    p50, p90, p99 = np.percentile(values, (50, 90, 99))
    return {"p50": float(p50), "p90": float(p90), "p99": float(p99), "max": max(values)}


@contextmanager
def vart_runner(bundle: Bundle, device: Device, threads: int | None, *, compute: bool) -> Iterator[Runner]:
    """Open the C++ pipeline."""
    with Pipeline(
        bundle,
        threads=threads,
        device=device.device,
        cores=device.cores,
        job_latency_us=device.job_latency_us,
        compute=compute,
    ) as pipeline:

        def submit(item: Item) -> Callable[[], Any]:
            frame, statistics = item
            return pipeline.submit(frame.image, spacing_mm=frame.spacing_mm, statistics=statistics).result

        def latencies() -> dict[str, float]:
            latency = pipeline.stats().latency
            return {name: getattr(latency, f"{name}_ms") for name in ("p50", "p90", "p99", "max")}

        depth = 2 * pipeline.threads + 2
        yield Runner(
            "vart",
            pipeline.threads,
            lambda i: submit(i)(),
            depth,
            submit,
            lambda: pipeline.stats().stages_ms,
            latencies,
            pipeline.reset_stats,
        )


@contextmanager
def pynq_runner(bundle: Bundle, device: Device, *, compute: bool) -> Iterator[Runner]:
    """Open the paper's Python loop."""
    options = _core.DeviceOptions(device.device, "auto", device.cores, device.job_latency_us, compute)
    board_path = bundle.board_model_path if device.device == "board" else None
    path = board_path or bundle.host_model_path
    with PynqLoop(path, preprocessing=bundle.preprocessing, options=options) as loop:
        yield _one_by_one(
            "pynq",
            lambda item: loop.run(item[0].image, spacing_mm=item[0].spacing_mm, statistics=item[1]),
            loop.stages_ms,
        )


@contextmanager
def keras_runner(bundle: Bundle, baseline: Any) -> Iterator[Runner]:
    """Open the trained FP32 model on this machine's CPU, with TensorFlow's own threads."""
    import tensorflow as tf

    function = tf.function(lambda x: baseline(x, training=False))

    def run(item: Item) -> Any:
        frame, statistics = item
        values = apply(bundle.preprocessing, frame.image, spacing_mm=frame.spacing_mm, statistics=statistics)
        return function(tf.constant(values[np.newaxis])).numpy()[0].argmax(-1).astype(np.uint8)

    yield _one_by_one("keras", run, dict)
