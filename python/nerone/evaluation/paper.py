"""The paper's experiments in words: titles, scores of its Table II, and the models published with it.

Table I is in :mod:`nerone.compilation.paper.table`. The Dice of the organs is the one that the authors' page on this
task states (github.com/RaffaeleBerzoini/SENECA, README.md). A value that no source of this project states is left out
of the report, never filled in.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BOARD_NAMES", "PUBLISHED_MODELS", "TITLES", "PublishedModel", "paper_score"]

TITLES = {
    "ct-org": "U-Net (CT-ORG)",
    "brats": "MobileNetV2 FCN (BraTS)",
    "prostate": "V-Net (Prostate-3T)",
    "bccd": "2D CNN (BCCD)",
}
BOARD_NAMES = {"ultra96v2": "Ultra96-V2", "kv260": "KV260", "zcu104": "ZCU104"}


_SCORES = {
    "ct-org": "INT8 weighted Dice 93.04 %, liver 91.6, bladder 79.2, lungs 96.2, kidneys 81.3, bones 94.4; INT8 loses "
    "0.15 points",
    "brats": "Dice 93.0, 81.1, 87.3 % (whole, core, enhancing)",
    "bccd": "accuracy 92.05 ± 2.23 %",
}


def paper_score(task: str) -> str:
    """Return the paper's score of a task in words, or that it is not stated in this project's sources."""
    return _SCORES.get(task, "not stated in this project's sources")


@dataclass(frozen=True)
class PublishedModel:
    """A model that was published with the paper: names its files go by, its preset and number of classes.

    Attributes
    ----------
    names : of the compiled file
    float_names : of the trained float model, where one was published
    """

    task: str
    names: tuple[str, ...]
    preset: str
    classes: int
    float_names: tuple[str, ...] = ()


PUBLISHED_MODELS = (
    PublishedModel(
        "ct-org",
        ("nerone_ct_org.xmodel", "NERONE4ctorgZCU104.xmodel", "nerone_ctorg_isa0_b4096.xmodel", "unetCTORG.xmodel"),
        "paper-ct-org",
        6,
    ),
    PublishedModel(
        "brats", ("nerone_brats.xmodel", "NERONE4BraTSZCU104.xmodel", "mobilenetBraTS.xmodel"), "paper-brats", 4
    ),
    PublishedModel(
        "brats",
        ("nerone_brats_sc.xmodel", "NERONE4BraTSZCU104single_class.xmodel", "nerone_brats_isa0_b4096.xmodel"),
        "paper-brats",
        2,
    ),
    PublishedModel(
        "prostate",
        ("nerone_prostate_double.xmodel", "prostate.xmodel"),
        "paper-prostate",
        3,
        ("prostate_double_float.h5", "0.1487-f_model.h5"),
    ),
    PublishedModel(
        "prostate",
        ("nerone_prostate_sc.xmodel", "prostate_sc.xmodel", "NERONE4prostateZCU104.xmodel"),
        "paper-prostate",
        2,
        ("prostate_sc_float.h5", "0.0392-f_model.h5"),
    ),
    PublishedModel("bccd", ("nerone_BCCD_zcu104.xmodel", "NERONE4BloodCellsZCU104.xmodel"), "paper-bccd", 4),
)
