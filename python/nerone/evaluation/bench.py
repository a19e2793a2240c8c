"""The benchmark: the whole job from the caller's image to the mask, by backend, on one device.

Results are compared before anything is timed, and backends take turns. Reading files is outside the timed part; its
time per frame is reported beside it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.compat import zip
from nerone.data.frame import Frame
from nerone.data.prepared import source_statistics
from nerone.data.sources import find_sources
from nerone.errors import ConfigurationError, check_real, check_whole
from nerone.evaluation.bench_backends import Item, Runner, keras_runner, pynq_runner, vart_runner
from nerone.evaluation.devices import Device, find_device
from nerone.evaluation.metrics import Summary, summarize
from nerone.evaluation.power import Meter, PowerRecorder
from nerone.runtime.preprocessing import Statistics

__all__ = ["BACKENDS", "BenchReport", "BenchRow", "Loaded", "bench", "compare_backends", "load_frames"]

BACKENDS = ("vart", "pynq", "keras")
_FRAMES = 64
_WARM_UP_S = 0.3


@dataclass(frozen=True)
class Loaded:
    """Frames in memory, what the preprocessing needs to know of them, and how long reading took.

    Attributes
    ----------
    frames : tuple of (Frame, Statistics or None)
    decode_ms : float, of one frame
    """

    frames: tuple[tuple[Frame, Statistics | None], ...]
    decode_ms: float


@dataclass(frozen=True)
class BenchRow:
    """One backend on one device.

    Attributes
    ----------
    backend, device : str; a simulated device's name says so
    threads : int
    fps : Summary, over the independent runs
    latency_ms : mapping of p50, p90, p99, max to float
    stages_ms : mapping of stage to mean float
    utilisation : float or None; of a simulated board the share of its own limit, elsewhere the share of the runners'
        time that jobs took
    watts, efficiency : Summary or None, None without a sensor
    """

    backend: str
    device: str
    threads: int
    fps: Summary
    latency_ms: dict[str, float]
    stages_ms: dict[str, float]
    utilisation: float | None = None
    watts: Summary | None = None
    efficiency: Summary | None = None


@dataclass(frozen=True)
class BenchReport:
    """All rows of one benchmark, measured interleaved on one machine.

    Attributes
    ----------
    bundle : str
    rows : tuple of BenchRow
    decode_ms : float, reading of one frame, which no row includes
    frames_compared : int, frames on which the backends' results were found equal before timing
    notes : tuple of str
    """

    bundle: str
    rows: tuple[BenchRow, ...]
    decode_ms: float
    frames_compared: int
    notes: tuple[str, ...] = field(default=())

    def ratio(self, backend: str, over: str) -> float | None:
        """Return the ratio of the mean FPS of two backends, None where one was not measured."""
        rates = {row.backend: row.fps.mean for row in self.rows}
        return rates[backend] / rates[over] if backend in rates and over in rates else None

    def ratios(self) -> dict[str, float]:
        """Return the first backend's mean FPS over each other one's, by "first/other"."""
        first, *others = self.rows
        return {f"{first.backend}/{row.backend}": first.fps.mean / row.fps.mean for row in others}


def load_frames(bundle: Bundle, source: str | Path, *, limit: int = _FRAMES) -> Loaded:
    """Read up to ``limit`` frames of a file or folder, spread over it.

    Raises
    ------
    ConfigurationError
        where nothing can be read.
    """
    sources, _ = find_sources(source, steps=bundle.preprocessing)
    stride = max(1, sum(one.count for one in sources) // limit)
    found: list[tuple[Frame, Statistics | None]] = []
    began, read = time.perf_counter(), 0
    for one in sources:
        statistics = source_statistics(one, bundle.preprocessing)
        for frame in one.read():
            if read % stride == 0 and len(found) < limit:
                found.append((frame, statistics))
            read += 1
    if not found:
        raise ConfigurationError(f"'{source}' holds no frame")
    return Loaded(tuple(found), (time.perf_counter() - began) * 1e3 / read)


def _classes(result: NDArray[Any]) -> NDArray[Any]:
    """Class ids of a result: masks as they are, probabilities by their first maximum."""
    return result if result.dtype == np.uint8 else result.argmax(-1).astype(np.uint8)


def compare_backends(bundle: Bundle, items: Sequence[Item], threads: int | None = None) -> int:
    """Check on the software DPU that VART and PYNQ give the same classes; the number of frames compared.

    The C++ preprocessing may differ from numpy's by one step of the input where an image is resized, so there the masks
    may differ in a few pixels of a thousand.
    """
    host = Device("softdpu")
    with vart_runner(bundle, host, threads, compute=True) as fast, pynq_runner(bundle, host, compute=True) as slow:
        for item in items:
            left, right = _classes(np.asarray(fast.one(item))), _classes(np.asarray(slow.one(item)))
            share = float(np.mean(left.reshape(-1) != right.reshape(-1)))
            if share > 0.005:
                raise ConfigurationError(
                    f"VART and PYNQ differ in {100 * share:.2f} % of a frame; nothing was timed: report this bundle"
                )
    return len(items)


def _open(
    backend: str, bundle: Bundle, device: Device, threads: int | None, baseline: Any
) -> AbstractContextManager[Runner]:
    # A simulated board takes its time and computes nothing: this machine's cores would be slower than the board's DPU.
    if backend == "vart":
        return vart_runner(bundle, device, threads, compute=not device.simulated)
    if backend == "pynq":
        return pynq_runner(bundle, device, compute=not device.simulated)
    if baseline is None:
        raise ConfigurationError("the keras backend runs the trained model; give its file as the baseline")
    return keras_runner(bundle, baseline)


def bench(
    bundle: Bundle,
    source: str | Path,
    *,
    backends: Sequence[str] = ("vart", "pynq"),
    device: str = "softdpu",
    threads: int | None = None,
    runs: int = 5,
    seconds: float = 1.0,
    meter: Meter | None = None,
    baseline: Any = None,
) -> BenchReport:
    """Measure backends on one device, interleaved, after comparing their results.

    Parameters
    ----------
    bundle : Bundle
    source : file or folder of frames, held in memory while timing
    backends : of "vart" (the C++ pipeline), "pynq" (the paper's Python loop) and "keras" (FP32 on this machine's CPU)
    device : one of `nerone.evaluation.devices.DEVICES`
    threads : workers of the pipeline; None for its own choice
    runs : independent runs; mean and standard deviation are over them
    seconds : least length of a run
    meter : Meter or None
    baseline : Keras model, for the keras backend

    Raises
    ------
    ConfigurationError
        for an unknown backend or device, no frames, or results that differ.
    """
    unknown = [name for name in backends if name not in BACKENDS]
    if unknown or not backends:
        raise ConfigurationError(f"there is no backend {(unknown or [''])[0]!r}; expected {', '.join(BACKENDS)}")
    check_whole("runs", runs, 1, 10_000)
    check_real("seconds", seconds, 1e-3, 86400)
    loaded = load_frames(bundle, source)
    found = find_device(device, bundle.host_model_path, preset=bundle.preset)
    compared = compare_backends(bundle, loaded.frames[:4], threads) if {"vart", "pynq"} <= set(backends) else 0
    with ExitStack() as stack:
        opened = [stack.enter_context(_open(name, bundle, found, threads, baseline)) for name in backends]
        measured = _take_turns(opened, loaded, runs, seconds, meter)
        rows = [_row(runner, found, rates, watts) for runner, rates, watts in measured]
    notes = (found.note,) if found.note else ()
    return BenchReport(bundle.name, tuple(rows), loaded.decode_ms, compared, notes)


def _take_turns(
    opened: Sequence[Runner], loaded: Loaded, runs: int, seconds: float, meter: Meter | None
) -> list[tuple[Runner, list[float], list[float]]]:
    """Run the backends one after the other, ``runs`` times, so that a change of the machine's speed meets them all."""
    measured: list[tuple[Runner, list[float], list[float]]] = [(runner, [], []) for runner in opened]
    frames = cycle(loaded.frames)
    for runner in opened:
        runner.keep_busy(frames, _WARM_UP_S)
        runner.restart()
    for _ in range(runs):
        for runner, rates, watts in measured:
            with PowerRecorder(meter) as recorder:
                done, elapsed_s = runner.keep_busy(frames, seconds)
            rates.append(done / elapsed_s)
            if recorder.sample is not None:
                watts.append(recorder.sample.watts)
    return measured


def _row(runner: Runner, device: Device, rates: list[float], watts: list[float]) -> BenchRow:
    powered = len(watts) == len(rates)
    mean = summarize(rates)
    on_device = runner.backend != "keras"
    stages = runner.stages()
    limit = device.limit_fps
    if limit is None and "device" in stages:
        limit = 1e3 * runner.threads / max(stages["device"], 1e-9)
    return BenchRow(
        runner.backend,
        device.label if on_device else "CPU, FP32",
        runner.threads,
        mean,
        runner.latencies(),
        stages,
        mean.mean / limit if limit and on_device else None,
        summarize(watts) if powered else None,
        summarize([f / w for f, w in zip(rates, watts, strict=True)]) if powered else None,
    )
