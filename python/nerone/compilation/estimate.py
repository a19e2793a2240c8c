"""Predicted speed of an xmodel on a board, from a model of the DPU's cycles and memory traffic.

Cycles: the DPUCZDX8G computes ``pixel_parallel`` pixels of a row, ``channel_parallel`` input and as many output
channels per cycle, and rounds each of the three up; with few input channels it takes a kernel's row as channels (the
``workload_on_arch`` that the vendor's compiler writes into models follows from this). Traffic: every op reads its
inputs and weights from the board's memory and writes its output to it, through the core's two 128 bit ports; concat and
reshape are views. The two are added: the layers of the paper's networks are too small to hide one behind the other.

PYNQ-DPU's Python loop takes one core and, beside the DPU, a time for every float32 value that it hands in or takes
out. That time and the board's power are constants of the board, fitted to the paper's Table I
(:mod:`nerone.compilation.paper.estimates`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nerone.compilation.board_time import board_time_of
from nerone.dpu.boards import Board, Dpu, find_board
from nerone.errors import ConfigurationError, model_errors

__all__ = ["Estimate", "LayerTime", "estimate", "estimate_graph", "layer_times", "values_per_image"]

_PORT_BYTES_PER_CYCLE = 2 * 128 // 8
_VIEWS = frozenset({"concat-fix", "reshape-fix", "upload", "download", "data-fix", "const-fix"})
_WEIGHTED = frozenset({"conv2d-fix", "transposed-conv2d-fix"})


@dataclass(frozen=True)
class LayerTime:
    """One op: multiply-accumulates, cycles of computing, bytes of traffic, microseconds in all."""

    name: str
    type: str
    macs: int
    cycles: int
    traffic_bytes: int
    time_us: float


@dataclass(frozen=True)
class Estimate:
    """Prediction for a board.

    Attributes
    ----------
    board, dpu : str
    cores : int
    latency_ms : float, of one image on one core, without anything on the CPU
    fps : float, with every core busy
    pynq_fps : float or None, with PYNQ-DPU's Python loop, images prepared before and results not reduced; None where
        the board has no measurement of it
    utilisation : float, share of the DPU's peak that the network's multiply-accumulates reach
    watts, fps_per_watt : float or None, with every core busy; None where no power was given and none of this board is
        published
    watts_source : str, "given", "paper" (the board's constants, fitted to the paper's measurements) or ""
    pynq_watts : float or None, with PYNQ-DPU, which keeps one core busy for a part of the time; None without constants
    layers : per op, in the order of the file, by the layer model
    job_us : float or None, measured: what a job costs a host beside the DPU, where that bounds the rate (`bounded`)
    source : str, "instructions" where latency and rate come from the file's instructions in time
        (:mod:`nerone.compilation.board_time`), else "layers"
    """

    board: str
    dpu: str
    cores: int
    latency_ms: float
    fps: float
    pynq_fps: float | None
    utilisation: float
    watts: float | None
    fps_per_watt: float | None
    watts_source: str
    pynq_watts: float | None
    layers: tuple[LayerTime, ...]
    source: str = "layers"
    job_us: float | None = None

    def bounded(self, job_us: float) -> Estimate:
        """Return the estimate with a rate that a host reaches whose jobs cost so many microseconds beside the DPU.

        The layer model knows no fixed cost of a job, and Table I cannot give it: fitted to PYNQ-DPU's rows it is 0,
        0.33 and 0.69 ms on the three boards, less than the rows' own errors, and VART has one measured row.
        """
        limit = 1e6 / job_us
        if self.fps <= limit:
            return self
        ratio = limit / self.fps
        return replace(
            self,
            fps=limit,
            pynq_fps=None if self.pynq_fps is None else min(self.pynq_fps, limit),
            utilisation=self.utilisation * ratio,
            fps_per_watt=None if self.fps_per_watt is None else self.fps_per_watt * ratio,
            job_us=job_us,
        )


def estimate(
    path: str | Path, *, board: str = "zcu104", vitis_ai: str | None = None, watts: float | None = None
) -> Estimate:
    """Predict latency and frames per second of a compiled model.

    Parameters
    ----------
    path : xmodel, the vendor's or NERONE's
    board : one of the board table
    watts : power of the board while it runs, from a meter, in place of the board table's

    Raises
    ------
    ConfigurationError, ModelError
        for an unknown board, the host, or a file that cannot be read.
    """
    from nerone import _core

    target = find_board(board)
    if target.is_host:
        raise ConfigurationError("the host is measured, not estimated: use nerone bench, or name a board")
    if watts is not None and not 0 < watts < math.inf:
        raise ConfigurationError(f"{watts} W is no power; give what a meter shows while the board runs")
    graph = _core.read_xmodel(str(path))
    with model_errors(path, "compile it again"):
        return _by_instructions(graph, target, vitis_ai, estimate_graph(graph, target, vitis_ai, watts))


def _by_instructions(graph: Mapping[str, Any], board: Board, vitis_ai: str | None, by_layers: Estimate) -> Estimate:
    """Return the estimate with latency and rate of the instructions, where the file has some for this board's DPU."""
    found = board_time_of(graph, board, vitis_ai)
    if found is None:
        return by_layers
    ratio = found.fps / by_layers.fps
    return replace(
        by_layers,
        latency_ms=found.latency_us / 1e3,
        fps=found.fps,
        utilisation=by_layers.utilisation * ratio,
        fps_per_watt=None if by_layers.fps_per_watt is None else by_layers.fps_per_watt * ratio,
        source="instructions",
    )


def estimate_graph(
    graph: Mapping[str, Any], board: Board, vitis_ai: str | None = None, watts: float | None = None
) -> Estimate:
    """Predict from a graph in the schema of `nerone._core.read_xmodel`."""
    dpu, layers = board.dpu_of(vitis_ai), layer_times(graph, board, vitis_ai)
    total_us = sum(layer.time_us for layer in layers)
    if total_us <= 0:
        raise ConfigurationError(f"'{graph['name']}' has no op of a DPU; compile it first")
    fps = board.cores * 1e6 / total_us
    used = sum(layer.macs for layer in layers) / (total_us * board.clock_mhz * dpu.peak_macs_per_cycle)
    source = "given" if watts is not None else ""
    pynq_fps = pynq_watts = None
    if board.host_ns_per_value is not None:
        pynq_fps = 1e6 / (total_us + 1e-3 * board.host_ns_per_value * values_per_image(graph))
    if board.idle_watts is not None and board.core_watts is not None:
        if watts is None:
            watts, source = board.idle_watts + board.cores * board.core_watts, "paper"
        if pynq_fps is not None:
            pynq_watts = board.idle_watts + pynq_fps * total_us * 1e-6 * board.core_watts
    return Estimate(
        board=board.name,
        dpu=dpu.name,
        cores=board.cores,
        latency_ms=total_us / 1e3,
        fps=fps,
        pynq_fps=pynq_fps,
        utilisation=used,
        watts=watts,
        fps_per_watt=None if watts is None else fps / watts,
        watts_source=source,
        pynq_watts=pynq_watts,
        layers=tuple(layers),
    )


def values_per_image(graph: Mapping[str, Any]) -> int:
    """Return the values of the network's inputs and outputs together."""
    read = {name for op in graph["ops"] for names in op["inputs"].values() for name in names}
    ends = [op for op in graph["ops"] if op["type"] == "data-fix" or op["name"] not in read]
    return sum(math.prod(op["output"]["shape"]) for op in ends)


def layer_times(graph: Mapping[str, Any], board: Board, vitis_ai: str | None = None) -> list[LayerTime]:
    """Return the time of every op that the DPU computes, in the order of the file; views have none."""
    ops, dpu = {op["name"]: op for op in graph["ops"]}, board.dpu_of(vitis_ai)
    computing = [op for op in graph["ops"] if op["type"].endswith("-fix") and op["type"] not in _VIEWS]
    return [_layer(op, ops, board, dpu) for op in computing]


def _layer(op: Mapping[str, Any], ops: Mapping[str, Any], board: Board, dpu: Dpu) -> LayerTime:
    shape = _four(op["output"]["shape"])
    traffic = math.prod(shape) + sum(
        math.prod(ops[name]["output"]["shape"]) for names in op["inputs"].values() for name in names
    )
    macs, cycles = 0, _elements(shape, dpu)
    if op["type"] in _WEIGHTED:
        macs, cycles = _convolution(op, ops, shape, dpu)
    elif op["type"] == "depthwise-conv2d-fix":
        _, kernel_h, kernel_w, _ = ops[op["inputs"]["weights"][0]]["output"]["shape"]
        macs, cycles = math.prod(shape) * kernel_h * kernel_w, _elements(shape, dpu) * kernel_h * kernel_w
    elif op["type"] == "pool-fix":
        cycles *= math.prod(op["attrs"]["kernel"])
    bytes_per_us = min(_PORT_BYTES_PER_CYCLE * board.clock_mhz, board.bandwidth_gb_s * 1e3 / board.cores)
    time_us = cycles / board.clock_mhz + traffic / bytes_per_us
    return LayerTime(op["name"], op["type"], macs, cycles, traffic, time_us)


def _four(shape: list[int]) -> tuple[int, int, int, int]:
    padded = [1] * (4 - len(shape)) + list(shape) if len(shape) < 4 else list(shape[:4])
    return padded[0], padded[1], padded[2], padded[3]


def _up(size: int, parallel: int) -> int:
    return math.ceil(size / parallel)


def _elements(shape: tuple[int, int, int, int], dpu: Dpu) -> int:
    return shape[1] * _up(shape[2], dpu.pixel_parallel) * _up(shape[3], dpu.channel_parallel)


def _convolution(
    op: Mapping[str, Any], ops: Mapping[str, Any], shape: tuple[int, int, int, int], dpu: Dpu
) -> tuple[int, int]:
    """Return the products of a convolution and the cycles they take."""
    channels_out, kernel_h, kernel_w, channels_in = ops[op["inputs"]["weights"][0]]["output"]["shape"]
    parallel = dpu.channel_parallel
    row = kernel_w * _up(channels_in, parallel)
    if 2 * channels_in <= parallel:
        # Channel augmentation: where the channels leave the array half empty, a kernel's row is taken as channels.
        row = min(row, _up(kernel_w * channels_in, parallel))
    cycles = shape[1] * _up(shape[2], dpu.pixel_parallel) * kernel_h * row * _up(channels_out, parallel)
    macs = math.prod(shape[1:3]) * kernel_h * kernel_w * channels_in * channels_out
    if op["type"].startswith("transposed"):
        # Only every stride-th tap meets a pixel.
        steps = math.prod(op["attrs"]["stride"])
        source = _four(ops[op["inputs"]["input"][0]]["output"]["shape"])
        return math.prod(source[1:3]) * kernel_h * kernel_w * channels_in * channels_out, math.ceil(cycles / steps)
    return macs, cycles
