"""``nerone data check``: what a folder holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nerone.compat import zip
from nerone.data import bccd
from nerone.data.geometry import geometry_notes
from nerone.data.labelled import LabelledFrame, LabelledSource, pair_sources
from nerone.data.pictures import is_picture
from nerone.data.sources import Source, find_sources
from nerone.errors import Error

__all__ = ["DataReport", "check_data", "data_kind"]


@dataclass
class DataReport:
    """Findings in a data set.

    Attributes
    ----------
    kind : str, "CT-ORG", "BraTS", "Prostate-3T", "BCCD" or "other"
    sources, frames, labelled : int, volumes or pictures, their slices, and how many sources have labels
    shapes, dtypes, label_ids, classes : how often each occurs (slices or pictures; label ids in pixels)
    problems : what stops a source from being used: (path, sentence)
    notes : what a user should know: (path, sentence)
    """

    kind: str
    sources: int = 0
    frames: int = 0
    labelled: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    label_ids: Counter[int] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)


def data_kind(sources: list[Source], path: Path) -> str:
    """Return "CT-ORG", "BraTS", "Prostate-3T", "BCCD", or what else the sources of a path are."""
    kinds = {source.kind for source in sources}
    if "brats" in kinds:
        return "BraTS"
    if "dicom" in kinds:
        return "Prostate-3T" if any(path.rglob("*.nrrd")) else "DICOM series"
    if any(source.path.name.startswith("volume-") for source in sources):
        return "CT-ORG"
    if any(source.path.parent.name.lower() in bccd.CLASSES or "BloodImage" in source.path.name for source in sources):
        return "BCCD"
    return "volumes" if kinds & {"nifti", "itk"} else "pictures"


def _count(report: DataReport, found: LabelledFrame) -> None:
    if isinstance(found.truth, str):
        report.classes[found.truth] += 1
        return
    for label, count in enumerate(np.bincount(found.truth.ravel())):
        if count:
            report.label_ids[label] += int(count)


def _read(report: DataReport, source: Source, labels: LabelledSource | None) -> None:
    noted = False
    for item in labels.read() if labels is not None else source.read():
        frame = item.frame if isinstance(item, LabelledFrame) else item
        report.shapes["x".join(map(str, frame.image.shape))] += 1
        report.dtypes[str(frame.image.dtype)] += 1
        report.frames += 1
        if isinstance(item, LabelledFrame):
            _count(report, item)
        if frame.affine is not None and not noted:
            noted = True
            report.notes += [(source.path, note) for note in geometry_notes(frame.affine)]


def check_data(path: Path | str, *, progress: Callable[[int, int], None] | None = None) -> DataReport:
    """Read everything below a path once and report what is there and what is wrong; nothing is changed.

    Parameters
    ----------
    path : a file or folder as of :func:`nerone.data.sources.frames`
    progress : called with sources done and to do

    Returns
    -------
    DataReport

    Raises
    ------
    ConfigurationError
        If nothing can be read at all.
    """
    root = Path(path)
    sources, skipped = find_sources(root, skip_bad=True)
    report = DataReport(data_kind(sources, root), len(sources), problems=list(skipped))
    pairs = pair_sources(sources, root)
    for done, (source, labels) in enumerate(zip(sources, pairs, strict=True), 1):
        if isinstance(labels, Error):
            report.problems.append((source.path, str(labels)))
            labels = None
        elif labels is None:
            report.notes.append((source.path, "has no labels"))
        else:
            report.labelled += 1
        try:
            _read(report, source, labels)
        except Error as error:
            report.problems.append((source.path, str(error)))
        if progress is not None:
            progress(done, len(sources))
    if report.kind == "BCCD" and root.is_dir():
        _check_blood(report, root)
    return report


def _check_blood(report: DataReport, root: Path) -> None:
    images = bccd.images(root)
    for number in bccd.check_split(images):
        report.problems.append((root, f"original {number} is in train and in test; scores on this split flatter"))
    known = {image.path for image in images}
    unused = sum(is_picture(path) and path not in known for path in root.rglob("*"))
    if unused:
        report.notes.append((root, f"{unused} pictures show several cells, none, or another class; they are left out"))
