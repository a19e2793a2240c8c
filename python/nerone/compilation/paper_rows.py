"""The rows of the paper's Table I that run on a DPU, each with what the cycle model predicts.

Only values that this project's sources state are written down; the others are not known here and never filled in.
"""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compilation.boards import BOARDS
from nerone.compilation.estimate import estimate_graph
from nerone.compilation.paper_networks import NETWORKS, ct_org_unet

__all__ = ["PAPER_FPS", "PaperRow", "ct_org_unet", "paper_rows"]

_VERSION = "1.4"

PAPER_FPS = {("ct-org", "VART", "zcu104"): 335.4}
"""Frames per second by task, backend and board, as the paper measured them."""


@dataclass(frozen=True)
class PaperRow:
    """One row of Table I.

    Attributes
    ----------
    task, network : str
    backend : str, "PYNQ-DPU" or "VART"
    board : str, of the board table
    cores : int, DPU cores that the backend keeps busy: PYNQ-DPU's one runner has one
    estimated_fps : float; with PYNQ-DPU the DPU's own rate, which the Python around it does not reach
    paper_fps : float or None, None where the value is not known here
    """

    task: str
    network: str
    backend: str
    board: str
    cores: int
    estimated_fps: float
    paper_fps: float | None

    @property
    def error(self) -> float | None:
        """Relative error of the estimate; None where the paper's value is not known."""
        return None if self.paper_fps is None else self.estimated_fps / self.paper_fps - 1


def paper_rows() -> list[PaperRow]:
    """Return the twelve rows with PYNQ-DPU and the four with VART."""
    wanted = [(task, "PYNQ-DPU", board) for task in NETWORKS for board in BOARDS if board != "host"]
    wanted += [(task, "VART", "zcu104") for task in NETWORKS]
    return [_row(task, backend, board) for task, backend, board in wanted]


def _row(task: str, backend: str, board: str) -> PaperRow:
    graph = NETWORKS[task]()
    found = estimate_graph(graph, BOARDS[board], _VERSION)
    cores = found.cores if backend == "VART" else 1
    fps = found.fps * cores / found.cores
    return PaperRow(task, graph["name"], backend, board, cores, fps, PAPER_FPS.get((task, backend, board)))
