"""Table I of the paper: images per second, watts and scores of its four networks on GPUs and boards.

Berzoini, D'Arnese, Conficconi, Santambrogio: "NERONE: The Fast Way to Efficiently Execute Your Deep Learning Algorithm
At the Edge", IEEE JBHI 2023, doi:10.1109/JBHI.2023.3296142. Values as printed, mean and standard deviation over five
runs. Of VART's rows CT-ORG's was measured (in the authors' SENECA paper); the other three are the authors' projections,
PYNQ-DPU's rate times CT-ORG's ratio of 4.04, preprocessing left out. Most means are also in the authors' charts
(github.com/RaffaeleBerzoini/SENECA, charts/charts.py), and the published notebook on classification
(github.com/RaffaeleBerzoini/NERONE) shows how one row was measured: 225.49 images per second at 17.35 W on the board's
12 V rail.
"""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compat import zip

__all__ = ["GPUS", "TABLE1", "PaperRow", "Printed", "paper_row"]

GPUS = ("RTX 2060 Mobile", "Tesla V100")


@dataclass(frozen=True)
class Printed:
    """A printed mean and, where it was printed too, its standard deviation."""

    mean: float
    deviation: float | None = None

    def words(self, digits: int = 2) -> str:
        """Return "mean ± deviation"."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{deviation}"


@dataclass(frozen=True)
class PaperRow:
    """One row of Table I.

    Attributes
    ----------
    task : str, "ct-org", "brats", "prostate" or "bccd"
    backend : str, "TensorFlow, FP32", "PYNQ-DPU" or "VART"
    device : str, of the board table, or one of GPUS
    fps : Printed, images per second
    watts : Printed, power of the whole device while it runs, measured at its supply, or of the GPU
    efficiency : Printed, images per second per watt (the paper's equation 1)
    score : Printed, percent: Dice weighted by the classes' frequency (equation 2), of blood cells the accuracy
    projected : bool, the rate and watts were not measured but calculated from PYNQ-DPU's
    """

    task: str
    backend: str
    device: str
    fps: Printed
    watts: Printed
    efficiency: Printed
    score: Printed
    projected: bool = False


_COLUMNS = (
    ("TensorFlow, FP32", "RTX 2060 Mobile"),
    ("TensorFlow, FP32", "Tesla V100"),
    ("PYNQ-DPU", "ultra96v2"),
    ("PYNQ-DPU", "kv260"),
    ("PYNQ-DPU", "zcu104"),
    ("VART", "zcu104"),
)
_PROJECTED = ("brats", "prostate", "bccd")
# FPS, watts and FPS/W with their deviations, in the order of _COLUMNS.
_Values = tuple[float, float, float, float, float, float]
_SPEED: dict[str, tuple[_Values, ...]] = {
    "ct-org": (
        (72.09, 0.46, 78.17, 0.68, 0.92, 0.01),
        (199.36, 1.77, 80.38, 1.31, 2.48, 0.02),
        (36.52, 0.05, 9.59, 0.03, 3.81, 0.01),
        (74.70, 0.07, 12.33, 0.11, 6.06, 0.01),
        (82.92, 0.47, 17.59, 0.02, 4.71, 0.01),
        (335.40, 0.34, 28.40, 0.02, 11.81, 0.02),
    ),
    "brats": (
        (99.98, 0.66, 28.06, 0.11, 3.56, 0.01),
        (372.52, 3.53, 71.58, 0.79, 5.20, 0.03),
        (37.26, 0.40, 8.96, 0.11, 4.16, 0.02),
        (96.52, 0.07, 12.39, 0.11, 7.79, 0.02),
        (93.34, 0.47, 16.47, 0.08, 5.67, 0.01),
        (377.53, 0.34, 26.60, 0.02, 14.20, 0.01),
    ),
    "prostate": (
        (299.62, 1.5, 77.22, 1.51, 3.88, 0.02),
        (599.48, 3.46, 81.82, 1.31, 7.33, 0.04),
        (91.47, 0.44, 8.59, 0.03, 10.65, 0.05),
        (145.76, 1.00, 11.38, 0.33, 12.81, 0.09),
        (190.68, 0.55, 15.96, 0.15, 11.94, 0.03),
        (771.27, 0.34, 25.78, 0.02, 29.92, 0.03),
    ),
    "bccd": (
        (959.50, 2.98, 80.28, 0.64, 11.95, 0.04),
        (2046.22, 8.63, 166.56, 4.29, 12.29, 0.05),
        (114.99, 2.18, 9.28, 0.31, 12.40, 0.23),
        (237.92, 0.23, 12.75, 0.05, 18.66, 0.02),
        (225.49, 0.74, 17.35, 0.01, 13.00, 0.04),
        (912.06, 0.34, 28.02, 0.02, 32.55, 0.04),
    ),
}
# FP32 on the GPUs, INT8 on every board.
_SCORES = {
    "ct-org": (Printed(90.23, 0.01), Printed(90.10, 0.29)),
    "brats": (Printed(83.44, 0.38), Printed(82.89, 0.37)),
    "prostate": (Printed(91.81, 1.31), Printed(91.59, 1.23)),
    "bccd": (Printed(92.25, 2.25), Printed(92.05, 2.23)),
}


def _row(task: str, backend: str, device: str, values: _Values) -> PaperRow:
    fps, watts, efficiency = (Printed(*values[start : start + 2]) for start in (0, 2, 4))
    score = _SCORES[task][0 if device in GPUS else 1]
    return PaperRow(task, backend, device, fps, watts, efficiency, score, backend == "VART" and task in _PROJECTED)


TABLE1 = tuple(
    _row(task, backend, device, values)
    for task, rows in _SPEED.items()
    for (backend, device), values in zip(_COLUMNS, rows, strict=True)
)
"""Per task two GPUs, PYNQ-DPU on three boards, and VART on the ZCU104."""


def paper_row(task: str, backend: str, device: str) -> PaperRow:
    """Return the row of Table I; KeyError where there is none."""
    rows = {(row.task, row.backend, row.device): row for row in TABLE1}
    return rows[task, backend, device]
