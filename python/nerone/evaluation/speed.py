"""Throughput and energy of a network alone: INT8 on a device, FP32 by TensorFlow on this machine's CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.evaluation.metrics import Summary, summarize
from nerone.evaluation.power import Meter, PowerRecorder

__all__ = ["Speed", "float_speed", "host_us_per_job", "integer_speed", "measure_speed"]


@dataclass(frozen=True)
class Speed:
    """Independent runs of one network.

    Attributes
    ----------
    fps : Summary, images per second
    watts, efficiency : Summary or None, power and images per second per watt (the paper's equation 1); None without a
        sensor
    """

    fps: Summary
    watts: Summary | None = None
    efficiency: Summary | None = None


def measure_speed(run: Callable[[], Any], *, seconds: float = 1.0, runs: int = 5, meter: Meter | None = None) -> Speed:
    """Call a function for ``seconds``, ``runs`` times after a warm-up.

    Parameters
    ----------
    run : function that handles one image
    meter : Meter or None, read while each run lasts
    """
    run()
    rates: list[float] = []
    watts: list[float] = []
    for _ in range(runs):
        with PowerRecorder(meter) as recorder:
            count, start = 0, time.perf_counter()
            while count == 0 or time.perf_counter() - start < seconds:
                run()
                count += 1
            rates.append(count / (time.perf_counter() - start))
        if recorder.sample is not None:
            watts.append(recorder.sample.watts)
    if len(watts) != runs:
        return Speed(summarize(rates))
    return Speed(summarize(rates), summarize(watts), summarize([f / w for f, w in zip(rates, watts, strict=True)]))


def integer_speed(
    xmodel: Path, *, device: str = "softdpu", seconds: float = 1.0, runs: int = 5, meter: Meter | None = None
) -> Speed:
    """Measure one thread on a device: int8 in, int8 out, without the CPU subgraphs behind."""
    from nerone.runtime.model import Model

    with Model.load(xmodel, device=device, until="dpu") as model:
        image = np.zeros(model.inputs[0].shape, np.int8)
        return measure_speed(lambda: model.run(image), seconds=seconds, runs=runs, meter=meter)


def host_us_per_job(xmodel: Path, *, seconds: float = 0.1, rounds: int = 3) -> float:
    """Measure what a job costs this machine beside the device, in microseconds: the best of some rounds.

    The pipeline runs on a simulated device that takes no time and computes nothing, with int8 in and int8 out; what is
    left is handing the job out and taking its result. No board is faster than its host hands out jobs.
    """
    from nerone.runtime.model import Model
    from nerone.runtime.pipeline import Pipeline

    with Model.load(xmodel, until="dpu") as model:
        image = np.zeros(model.inputs[0].shape[1:], np.int8)
    with Pipeline(xmodel, result="raw", compute=False) as pipeline:
        rates = []
        for _ in range(rounds):
            end, count = time.perf_counter() + seconds, 0
            started = time.perf_counter()

            def images(end: float = end) -> Iterator[NDArray[np.int8]]:
                while time.perf_counter() < end:
                    yield image

            for _ in pipeline.map(images()):
                count += 1
            rates.append(count / (time.perf_counter() - started))
    return 1e6 / max(rates)


def float_speed(model: Any, *, seconds: float = 1.0, runs: int = 5, meter: Meter | None = None) -> Speed:
    """Measure a Keras model on the CPU, one image at a time, with as many threads as TensorFlow takes."""
    import tensorflow as tf

    function = tf.function(lambda x: model(x, training=False))
    image = tf.zeros((1, *model.input_shape[1:]))
    return measure_speed(lambda: function(image).numpy(), seconds=seconds, runs=runs, meter=meter)
