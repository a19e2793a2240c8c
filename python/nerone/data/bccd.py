"""BCCD (github.com/Shenggan/BCCD_Dataset, MIT): photographs of blood smears, one white cell class each.

Three layouts: class folders; class folders with augmented copies named after their original (``_12_3456.jpeg``,
Kaggle's "Blood Cell Images"); ``BloodImage_00012.jpg`` with ``labels.csv``, whose rows with several cells, none, or a
basophil are left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nerone.data.pictures import is_picture
from nerone.errors import ConfigurationError

__all__ = ["CLASSES", "BloodImage", "check_split", "images", "original_number"]

CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")


@dataclass(frozen=True)
class BloodImage:
    """One photograph: its class, the number of the original it was made from, and "train", "test" or "" by its
    folder.
    """

    path: Path
    label: str
    original: int
    part: str


def original_number(path: Path) -> int:
    """Return the number of the original photograph that a file shows or was made from.

    Raises
    ------
    ConfigurationError
        If the name holds no number.
    """
    numbers = re.findall(r"\d+", path.stem)
    if not numbers:
        raise ConfigurationError(
            f"'{path}' names no original; expected names like BloodImage_00012.jpg or _12_3456.jpeg"
        )
    return int(numbers[0])


def _part(path: Path, root: Path) -> str:
    parts = [part.lower() for part in path.relative_to(root).parts[:-1]]
    for name in ("test_simple", "test", "train"):
        if any(part == name or part.startswith(f"{name}_") for part in parts):
            return name.split("_")[0]
    return ""


def _table(root: Path) -> dict[int, str]:
    tables = [path for path in sorted(root.rglob("labels.csv")) if path.is_file()]
    if not tables:
        return {}
    with tables[0].open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"Image", "Category"} <= set(rows[0]):
        raise ConfigurationError(f"'{tables[0]}' has columns {list(rows[0])}; expected Image and Category")
    labels = {
        int(row["Image"]): (row["Category"] or "").strip().lower() for row in rows if (row["Image"] or "").strip()
    }
    return {number: label for number, label in labels.items() if label in CLASSES}


def images(folder: Path | str) -> list[BloodImage]:
    """List the photographs of one known class, by path.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    root = Path(folder)
    found, table = [], None
    for path in sorted(root.rglob("*")) if root.is_dir() else []:
        if not is_picture(path):
            continue
        label = path.parent.name.lower()
        if label not in CLASSES:
            table = _table(root) if table is None else table
            label = table.get(original_number(path), "") if table else ""
        if label:
            found.append(BloodImage(path, label, original_number(path), _part(path, root)))
    if not found:
        raise ConfigurationError(
            f"'{folder}' holds no blood cell image; expected labels.csv or folders "
            + ", ".join(name.upper() for name in CLASSES)
        )
    return found


def check_split(found: Iterable[BloodImage]) -> list[int]:
    """Return the originals that are on both sides of a train and test split; an honest split has none."""
    sides: dict[int, set[str]] = {}
    for image in found:
        sides.setdefault(image.original, set()).add(image.part)
    return sorted(number for number, parts in sides.items() if {"train", "test"} <= parts)
