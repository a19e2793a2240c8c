"""The paper's experiments: rows of its tables, with the values that this project's sources state.

Berzoini, D'Arnese, Conficconi, Santambrogio: "NERONE: The Fast Way to Efficiently Execute Your Deep Learning Algorithm
At the Edge", IEEE JBHI 2023, doi:10.1109/JBHI.2023.3296142. A value that is not stated here is left out of the report,
never filled in.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PUBLISHED_MODELS", "TABLE1", "TITLES", "PublishedModel", "Row", "paper_score"]

TITLES = {
    "ct-org": "U-Net (CT-ORG)",
    "brats": "MobileNetV2 FCN (BraTS)",
    "prostate": "V-Net (Prostate-3T)",
    "bccd": "2D CNN (BCCD)",
}
_BOARDS = ("Ultra96-V2", "KV260", "ZCU104")


@dataclass(frozen=True)
class Row:
    """One row of Table I.

    Attributes
    ----------
    task, board, backend : str
    fps : float or None, the paper's frames per second where known
    """

    task: str
    board: str
    backend: str
    fps: float | None = None


def _table1() -> tuple[Row, ...]:
    pynq = [Row(task, board, "PYNQ-DPU") for task in TITLES for board in _BOARDS]
    vart = [Row(task, "ZCU104", "VART", 335.4 if task == "ct-org" else None) for task in TITLES]
    return (*pynq, *vart)


TABLE1 = _table1()
"""Twelve rows with PYNQ-DPU, four with VART."""

_SCORES = {
    "ct-org": "INT8 loses 0.15 points of weighted Dice",
    "brats": "Dice 93.0, 81.1, 87.3 %",
    "bccd": "accuracy 92.05 +- 2.23 %",
}


def paper_score(task: str) -> str:
    """Return the paper's score of a task in words, or that it is not stated in this project's sources."""
    return _SCORES.get(task, "not stated in this project's sources")


@dataclass(frozen=True)
class PublishedModel:
    """A model that was published with the paper: names its file goes by, its preset and number of classes."""

    task: str
    names: tuple[str, ...]
    preset: str
    classes: int


PUBLISHED_MODELS = (
    PublishedModel("ct-org", ("nerone_ct_org.xmodel", "unetCTORG.xmodel"), "paper-ct-org", 6),
    PublishedModel(
        "brats", ("nerone_brats.xmodel", "NERONE4BraTSZCU104.xmodel", "mobilenetBraTS.xmodel"), "paper-brats", 4
    ),
    PublishedModel("prostate", ("nerone_prostate_double.xmodel", "prostate.xmodel"), "paper-prostate", 3),
    PublishedModel("prostate", ("nerone_prostate_sc.xmodel", "prostate_sc.xmodel"), "paper-prostate", 2),
    PublishedModel("bccd", ("nerone_BCCD_zcu104.xmodel", "NERONE4BloodCellsZCU104.xmodel"), "paper-bccd", 4),
)
