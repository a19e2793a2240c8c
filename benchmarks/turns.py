"""Rates measured in turns, so that a change of the machine's speed meets all of them."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, takewhile
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

import numpy as np

from nerone.runtime.model import Model
from nerone.runtime.pipeline import Pipeline

Rate = Callable[[float], float]


def take_turns(contenders: Mapping[str, Rate], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure each contender's frames per second ``rounds`` times, one after the other."""
    for rate in contenders.values():
        rate(seconds / 4)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, rate in contenders.items():
            rates[name].append(rate(seconds))
    return rates


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the ratios of neighbours in time."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


@contextmanager
def device_only(xmodel: Path, threads: int) -> Iterator[Rate]:
    """The network alone, int8 in and out, a runner per thread: no preprocessing, no argmax, no queue."""
    models = [Model.load(xmodel, until="dpu") for _ in range(threads)]

    def run(model: Model, until: float, done: list[int]) -> None:
        image = np.zeros(model.inputs[0].shape, np.int8)
        outputs = {info.name: np.empty(info.shape, info.dtype) for info in model.outputs}
        out: Any = outputs if len(outputs) > 1 else next(iter(outputs.values()))
        count = 0
        while time.perf_counter() < until:
            model.run(image, out=out)
            count += 1
        done.append(count)

    def rate(seconds: float) -> float:
        done: list[int] = []
        began = time.perf_counter()
        workers = [threading.Thread(target=run, args=(model, began + seconds, done)) for model in models]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(done) / (time.perf_counter() - began)

    yield rate
    for model in models:
        model.close()


@contextmanager
def whole_pipeline(bundle: Path, images: Sequence[Any], **options: Any) -> Iterator[tuple[Pipeline, Rate]]:
    """Everything from the image to the mask."""
    with Pipeline(bundle, **options) as pipeline:

        def rate(seconds: float) -> float:
            began = time.perf_counter()
            timed = takewhile(lambda _: time.perf_counter() - began < seconds, cycle(images))
            count = sum(1 for _ in pipeline.map(timed))
            return count / (time.perf_counter() - began)

        yield pipeline, rate


@contextmanager
def bare_processes(xmodel: Path, count: int) -> Iterator[Rate]:
    """The network alone in processes that share nothing."""
    script = Path(__file__).with_name("bare_engine.py")
    processes = [
        Popen([executable, str(script), str(xmodel)], stdin=PIPE, stdout=PIPE, text=True, bufsize=1)
        for _ in range(count)
    ]

    def rate(seconds: float) -> float:
        for process in processes:
            print(seconds, file=process.stdin)
        return sum(float(process.stdout.readline()) for process in processes if process.stdout)

    try:
        yield rate
    finally:
        for process in processes:
            process.communicate(timeout=60)
