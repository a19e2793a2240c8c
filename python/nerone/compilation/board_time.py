"""When a board would execute a file's instructions: latency, rate, and the unit that holds up each layer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nerone import _core
from nerone.dpu.boards import Board
from nerone.errors import ConfigurationError
from nerone.instructions.layers import layers_of
from nerone.instructions.program import dpu_subgraphs
from nerone.instructions.stream import UNITS
from nerone.instructions.timing import Timing, simulate
from nerone.instructions.work import Work, work_of

__all__ = ["BoardTime", "LayerUse", "board_time", "board_time_of"]


@dataclass(frozen=True)
class LayerUse:
    """Time that a layer's instructions take.

    Attributes
    ----------
    name : str
    busy_us : dict of str to float
        Of each unit (LOAD, SAVE, CONV, MISC); they overlap.
    span_us : float
        From the start of its first instruction until the end of its last one; layers overlap.
    macs, moved_bytes : int
    """

    name: str
    busy_us: dict[str, float]
    span_us: float
    macs: int
    moved_bytes: int

    @property
    def bottleneck(self) -> str:
        """The unit that is busy longest."""
        return max(self.busy_us, key=lambda unit: self.busy_us[unit])


@dataclass(frozen=True)
class BoardTime:
    """Result of the timing model for all DPU subgraphs of a file together.

    Attributes
    ----------
    board : str
    cores : int
    latency_us : float, of one image on one core while the others are busy
    fps : float, with every core busy
    busy_us : dict of str to float, of each unit for one image
    macs : int, of one image, those of padding counted
    layers : tuple of LayerUse, in the order of their first instruction
    """

    board: str
    cores: int
    latency_us: float
    fps: float
    busy_us: dict[str, float]
    macs: int
    layers: tuple[LayerUse, ...]


def board_time_of(graph: Mapping[str, Any], board: Board, vitis_ai: str | None = None) -> BoardTime | None:
    """Return what a board takes; None where the file has no instructions for its DPU."""
    parts, dpu = dpu_subgraphs(graph), board.dpu_of(vitis_ai)
    if not parts or any(program.machine()["size"] != dpu.name for program, _ in parts):
        return None
    latency_us = image_us = 0.0
    busy, layers, macs = dict.fromkeys(UNITS.values(), 0.0), [], 0
    for program, child in parts:
        instructions = program.instructions()
        works = work_of(program, instructions)
        timing = simulate(works, clock_mhz=board.clock_mhz, memory_gb_s=board.bandwidth_gb_s, cores=board.cores)
        latency_us += timing.latency_us
        image_us += timing.image_us
        macs += sum(work.macs for work in works)
        busy = {unit: time + timing.busy_us[unit] for unit, time in busy.items()}
        layers += _layers(layers_of(program, instructions, graph, child["ops"]), works, timing)
    return BoardTime(board.name, board.cores, latency_us, board.cores * 1e6 / image_us, busy, macs, tuple(layers))


def board_time(path: str | os.PathLike[str], board: Board, vitis_ai: str | None = None) -> BoardTime:
    """Return what a board takes for a file.

    Raises
    ------
    ConfigurationError
        Where the file has no instructions for the board's DPU.
    """
    found = board_time_of(_core.read_xmodel(path), board, vitis_ai)
    if found is None:
        raise ConfigurationError(
            f"'{path}' has no instructions for the {board.dpu_of(vitis_ai).name} of the {board.name}; compile it for "
            "this board"
        )
    return found


def _layers(names: list[str], works: list[Work], timing: Timing) -> list[LayerUse]:
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if name and works[index].cycles:
            members.setdefault(name, []).append(index)
    found = []
    for name, indices in members.items():
        busy = dict.fromkeys(UNITS.values(), 0.0)
        for index in indices:
            busy[UNITS[works[index].unit]] += timing.end_us[index] - timing.start_us[index]
        span = max(timing.end_us[i] for i in indices) - min(timing.start_us[i] for i in indices)
        macs, moved = sum(works[i].macs for i in indices), sum(works[i].moved_bytes for i in indices)
        found.append(LayerUse(name, busy, span, macs, moved))
    return found
