"""The rows of the paper's Table I that run on a DPU, each beside what is estimated for it.

PYNQ-DPU's and the watts' estimates rest on constants of the board that are fitted to this very table, to the rows that
were measured. So that the error tells something, each row is estimated with constants that are fitted to the other rows
of its board.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nerone.compilation.estimate import estimate_graph, values_per_image
from nerone.compilation.paper.networks import NETWORKS
from nerone.compilation.paper.table import TABLE1, PaperRow, paper_row
from nerone.dpu.boards import BOARDS, Board

__all__ = ["EstimatedRow", "estimated_rows", "fitted_host_ns", "fitted_watts"]

_VERSION = "1.4"
_PYNQ = "PYNQ-DPU"


@dataclass(frozen=True)
class EstimatedRow:
    """One row of Table I, with what is estimated for it.

    Attributes
    ----------
    network : str
    paper : PaperRow
    cores : int, DPU cores that the backend keeps busy: PYNQ-DPU's one runner has one
    fps, watts : float, estimated
    """

    network: str
    paper: PaperRow
    cores: int
    fps: float
    watts: float

    @property
    def efficiency(self) -> float:
        """Estimated images per second per watt."""
        return self.fps / self.watts

    def errors(self) -> tuple[float, float, float]:
        """Return the relative differences of fps, watts and efficiency from the paper's, measured or projected."""
        paper = self.paper
        return (
            self.fps / paper.fps.mean - 1,
            self.watts / paper.watts.mean - 1,
            self.efficiency / paper.efficiency.mean - 1,
        )


def estimated_rows() -> list[EstimatedRow]:
    """Return the twelve rows with PYNQ-DPU and the four with VART."""
    return [_row(row) for backend in (_PYNQ, "VART") for row in TABLE1 if row.backend == backend]


def fitted_watts(board: Board, without: PaperRow | None = None) -> tuple[float, float]:
    """Return the watts of a waiting board, and those that a busy DPU core adds, from Table I's rows but for one.

    By least squares of a row's watts over the cores that it keeps busy: its rate times the DPU's estimated time. Rows
    that are projected say nothing about a board.
    """
    rows = [row for row in TABLE1 if row.device == board.name and row != without and not row.projected]
    points = [(_busy_cores(row), row.watts.mean) for row in rows]
    busy, watts = np.array(points).T
    core, idle = np.polyfit(busy, watts, 1)
    return float(idle), float(core)


def _busy_cores(row: PaperRow) -> float:
    return row.fps.mean * estimate_graph(NETWORKS[row.task](), BOARDS[row.device], _VERSION).latency_ms * 1e-3


def fitted_host_ns(board: Board, without: str = "") -> float:
    """Return the nanoseconds per value that PYNQ-DPU's loop takes beside the DPU, but for one network.

    By least squares, through zero, of the time that a row of Table I takes longer than the DPU's estimated time.
    """
    products = squares = 0.0
    for task, network in NETWORKS.items():
        if task == without:
            continue
        fps = paper_row(task, _PYNQ, board.name).fps.mean
        graph = network()
        values = values_per_image(graph)
        beside_ns = 1e9 / fps - 1e6 * estimate_graph(graph, board, _VERSION).latency_ms
        products += values * beside_ns
        squares += values * values
    return products / squares


def _row(row: PaperRow) -> EstimatedRow:
    graph, board = NETWORKS[row.task](), BOARDS[row.device]
    idle, core = fitted_watts(board, without=row)
    host = fitted_host_ns(board, without=row.task)
    found = estimate_graph(graph, replace(board, idle_watts=idle, core_watts=core, host_ns_per_value=host), _VERSION)
    fps, watts = (found.fps, found.watts) if row.backend == "VART" else (found.pynq_fps, found.pynq_watts)
    if watts is None or fps is None:
        raise AssertionError(f"no estimate of {row}")
    return EstimatedRow(graph["name"], row, found.cores if row.backend == "VART" else 1, fps, watts)
