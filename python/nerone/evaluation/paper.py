"""The paper beside its Table I: titles, Table II, what its text states, and the models published with it.

Table I is in :mod:`nerone.compilation.paper.table`.
"""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compilation.paper.table import Printed, paper_row

__all__ = [
    "BOARD_NAMES",
    "EFFICIENCY_RATIOS",
    "MEAN_EFFICIENCY_RATIOS",
    "PUBLISHED_MODELS",
    "REDEPLOYMENT_IMAGES",
    "REDEPLOYMENT_MINUTES",
    "REFERENCES",
    "SCANS",
    "TABLE2",
    "TITLES",
    "PaperScore",
    "PublishedModel",
    "Scan",
    "paper_score",
]

TITLES = {
    "ct-org": "U-Net (CT-ORG)",
    "brats": "MobileNetV2 FCN (BraTS)",
    "prostate": "V-Net (Prostate-3T)",
    "bccd": "2D CNN (BCCD)",
}
BOARD_NAMES = {"ultra96v2": "Ultra96-V2", "kv260": "KV260", "zcu104": "ZCU104"}


_V100 = ("TensorFlow, FP32", "Tesla V100")
# What the text says that INT8 loses, in points; Table I's means differ by 0.13, 0.55, 0.22 and 0.20.
_LOSS_IN_TEXT = {"ct-org": "less than 0.15", "brats": "0.55", "prostate": "0.21", "bccd": "0.08"}


def paper_score(task: str) -> str:
    """Return Table I's scores of a task in words: INT8 and FP32, and what the text says that INT8 loses."""
    integer, floating = paper_row(task, "PYNQ-DPU", "zcu104").score, paper_row(task, *_V100).score
    measure = "accuracy" if task == "bccd" else "Dice"
    lost = floating.mean - integer.mean
    return (
        f"{measure} INT8 {integer.words()} %, FP32 {floating.words()} %; INT8 loses {lost:.2f} points "
        f"(the text: {_LOSS_IN_TEXT[task]})"
    )


@dataclass(frozen=True)
class PaperScore:
    """One row of Table II.

    Attributes
    ----------
    task : str
    metric : str, a class or region; "accuracy" of all classes; or "FPS"
    integer, floating : Printed, percent (or images per second), INT8 on the KV260 and FP32 on the V100
    literature : two works that the paper compares with, as printed
    """

    task: str
    metric: str
    integer: Printed
    floating: Printed
    literature: tuple[str, str]


REFERENCES = {"ct-org": (35, 20), "brats": (36, 37), "prostate": (38, 39), "bccd": (40, 41)}
"""Per task the numbers of the two works in the paper's references."""

_TABLE2 = {
    "ct-org": (
        ("FPS", 74.70, None, 199.36, None, "> 6.4", "17 to 197"),
        ("liver", 91.08, 0.35, 90.8, 0.02, "94.90", "92.00 ± 3.6"),
        ("bladder", 77.74, 0.40, 74.95, 0.02, "85.80", "58.10 ± 22.3"),
        ("lungs", 92.83, 0.38, 93.21, 0.02, "98.35", "93.80 ± 5.9"),
        ("kidneys", 80.69, 0.34, 79.61, 0.02, "91.25", "88.20 ± 7.9"),
        ("bone", 89.84, 0.10, 90.03, 0.02, "92.73", "82.70 ± 7.6"),
    ),
    "brats": (
        ("whole tumour", 93.04, 0.31, 93.09, 0.53, "91.87", "92.56 ± 1.05"),
        ("tumour core", 81.05, 0.47, 82.26, 0.48, "87.97", "89.02 ± 1.64"),
        ("enhancing tumour", 87.28, 0.46, 87.46, 0.46, "81.37", "82.20 ± 1.74"),
    ),
    "prostate": (
        ("central gland", 89.05, 1.39, 89.05, 1.47, "92.80 ± 0.70", "88.40"),
        ("peripheral zone", 72.01, 1.33, 72.82, 1.39, "78.90 ± 1.90", "70.20"),
    ),
    "bccd": (
        ("accuracy", 92.05, 2.23, 92.25, 2.25, "97.03", "87.00"),
        ("eosinophil", 96.40, 1.47, 96.54, 1.54, "96.00", "83.15"),
        ("monocyte", 97.15, 0.55, 97.47, 0.68, "100.00", "100.00"),
        ("lymphocyte", 97.57, 1.00, 97.91, 0.87, "100.00", "75.00"),
        ("neutrophil", 92.97, 2.34, 93.20, 2.51, "96.00", "93.59"),
    ),
}
TABLE2 = tuple(
    PaperScore(task, metric, Printed(integer, spread), Printed(floating, other), (first, second))
    for task, rows in _TABLE2.items()
    for metric, integer, spread, floating, other, first, second in rows
)
"""Table II: a blood cell class's accuracy is that of telling it from the other three."""

EFFICIENCY_RATIOS = {
    "ct-org": (6.59, 2.44),
    "brats": (2.19, 1.50),
    "prostate": (3.3, 1.74),
    "bccd": (1.56, 1.52),
}
"""Per task the KV260's efficiency over the RTX 2060's and over the V100's, as the text states them."""
MEAN_EFFICIENCY_RATIOS = (3.4, 1.9)
"""The best average efficiency over the RTX 2060's and over the V100's, as the text states it."""


@dataclass(frozen=True)
class Scan:
    """How long the paper says that a scan takes.

    Attributes
    ----------
    words, stated : str
    slices : (fewest, most) of a scan
    """

    words: str
    slices: tuple[int, int]
    stated: str


SCANS = {
    "ct-org": Scan("whole body, 700 to 900 slices", (700, 900), "8.4 to 10.9 s on the ZCU104"),
    "brats": Scan("brain, 155 slices", (155, 155), "1.42 s"),
    "prostate": Scan("prostate, 19 slices", (19, 19), "0.1 s"),
}
"""Of the two scans without a stated length, BraTS's volumes have 155 slices, and 19 is what ProstateX's series have."""
REDEPLOYMENT_MINUTES, REDEPLOYMENT_IMAGES = 20, 500
"""From a trained network to the board takes less than this, calibrated with so many images."""


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
