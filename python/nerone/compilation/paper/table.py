"""Table I of the paper: images per second and watts of its four networks on GPUs and boards.

Berzoini, D'Arnese, Conficconi, Santambrogio: "NERONE: The Fast Way to Efficiently Execute Your Deep Learning Algorithm
At the Edge", IEEE JBHI 2023, doi:10.1109/JBHI.2023.3296142. The values are those from which the authors draw their
charts (github.com/RaffaeleBerzoini/SENECA): charts/charts.py at commit 1601394 for the GPUs and PYNQ-DPU,
results/results_plots.py at commit 5d76530 for VART with four threads. Their ratio on the ZCU104 is the 4.04 that the
paper states, and the published notebook on classification (github.com/RaffaeleBerzoini/NERONE) shows how one of the
rows was measured: 225.49 images per second at 17.35 W on the board's 12 V rail. A value that no source of this project
states is None, and never filled in.
"""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compat import zip

__all__ = ["GPUS", "TABLE1", "PaperRow", "paper_row"]

GPUS = ("RTX 2060 Mobile", "Tesla V100")


@dataclass(frozen=True)
class PaperRow:
    """One row of Table I.

    Attributes
    ----------
    task : str, "ct-org", "brats", "prostate" or "bccd"
    backend : str, "TensorFlow, FP32", "PYNQ-DPU" or "VART"
    device : str, of the board table, or one of GPUS
    fps : float or None, images per second
    watts : float or None, power of the whole device while it runs, measured at its supply, or of the GPU
    """

    task: str
    backend: str
    device: str
    fps: float | None = None
    watts: float | None = None

    @property
    def efficiency(self) -> float | None:
        """Images per second per watt (the paper's equation 1)."""
        return None if self.fps is None or self.watts is None else self.fps / self.watts


_FLOAT = "TensorFlow, FP32"
_COLUMNS = (
    (_FLOAT, "RTX 2060 Mobile"),
    (_FLOAT, "Tesla V100"),
    ("PYNQ-DPU", "ultra96v2"),
    ("PYNQ-DPU", "kv260"),
    ("PYNQ-DPU", "zcu104"),
    ("VART", "zcu104"),
)
_FPS: dict[str, tuple[float | None, ...]] = {
    "ct-org": (72.09, 199.36, 36.52, 74.70, 82.92, 335.40),
    "brats": (99.98, 372.52, 37.26, 96.52, 93.34, None),
    "prostate": (299.62, 599.48, 91.47, 145.76, 190.68, None),
    "bccd": (959.50, 2046.22, 114.99, 237.92, 225.49, None),
}
_WATTS: dict[str, tuple[float | None, ...]] = {
    "ct-org": (78.17, 80.38, 9.59, 12.33, 17.59, 28.40),
    "brats": (28.06, 71.58, 8.96, 12.39, 16.47, None),
    "prostate": (77.22, 81.82, 8.59, 11.38, 15.96, None),
    "bccd": (80.28, 166.56, 9.28, 12.75, 17.35, None),
}

TABLE1 = tuple(
    PaperRow(task, backend, device, fps, watts)
    for task in _FPS
    for (backend, device), fps, watts in zip(_COLUMNS, _FPS[task], _WATTS[task], strict=True)
)
"""Per task two GPUs, PYNQ-DPU on three boards, and VART on the ZCU104."""


def paper_row(task: str, backend: str, device: str) -> PaperRow:
    """Return the row of Table I; KeyError where there is none."""
    rows = {(row.task, row.backend, row.device): row for row in TABLE1}
    return rows[task, backend, device]
