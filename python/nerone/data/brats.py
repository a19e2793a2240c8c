"""BraTS cases (2021 and 2023 names): four modalities in one frame, in the order flair, t1, t1ce, t2.

The release is at synapse.org/brats (registration; research use). Ids in ``_seg``: 1 necrotic core, 2 oedema, 4
enhancing tumour (3 in 2023); the paper's classes are 0 to 3, with 3 the enhancing tumour.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.data.frame import Frame, plain
from nerone.data.nifti import nifti_slices, open_nifti
from nerone.errors import ConfigurationError, ShapeError

__all__ = [
    "CLASSES",
    "MODALITIES",
    "BratsCase",
    "case_frames",
    "classes_from_ids",
    "group_cases",
    "incomplete_cases",
    "regions",
]

MODALITIES = ("flair", "t1", "t1ce", "t2")
CLASSES = ("background", "necrotic core", "oedema", "enhancing tumour")
_ENDINGS = {
    "flair": "flair",
    "t1": "t1",
    "t1ce": "t1ce",
    "t2": "t2",
    "t2f": "flair",
    "t1n": "t1",
    "t1c": "t1ce",
    "t2w": "t2",
    "seg": "seg",
}
_NAME = re.compile(r"^(?:(?P<case>.+)[_-])?(?P<kind>flair|t1ce|t1c|t1n|t1|t2f|t2w|t2|seg)\.nii(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class BratsCase:
    """One patient: four modalities in the order of :data:`MODALITIES`, and the labels where present."""

    folder: Path
    name: str
    modalities: tuple[Path, Path, Path, Path]
    labels: Path | None


def _named(files: Iterable[Path]) -> dict[tuple[Path, str], dict[str, Path]]:
    """Return files by folder and case, then by modality."""
    groups: dict[tuple[Path, str], dict[str, Path]] = {}
    for file in files:
        match = _NAME.match(file.name)
        if match:
            groups.setdefault((file.parent, match["case"] or ""), {})[_ENDINGS[match["kind"].lower()]] = file
    return groups


def incomplete_cases(files: Iterable[Path]) -> list[tuple[Path, list[Path], list[str]]]:
    """Return (folder, files, missing modalities) of what is named like a case and lacks one or two modalities.

    Fewer than two modalities, or two without labels, may be any other data set's.
    """
    found = []
    for (folder, name), members in _named(files).items():
        missing = [kind for kind in MODALITIES if kind not in members]
        present = len(MODALITIES) - len(missing)
        if missing and (present == 3 or (present == 2 and _labels_of(folder, name, members) is not None)):
            found.append((folder, list(members.values()), missing))
    return found


def _labels_of(folder: Path, name: str, members: dict[str, Path]) -> Path | None:
    labels = members.get("seg")
    for ending in ("seg.nii.gz", "seg.nii"):
        for joint in ("_", "-") if name else ("",):
            path = folder / f"{name}{joint}{ending}"
            labels = labels or (path if path.is_file() else None)
    return labels


def group_cases(files: Iterable[Path]) -> list[BratsCase]:
    """Group files into complete cases; files that belong to none are left out."""
    cases = []
    for (folder, name), members in _named(files).items():
        if all(kind in members for kind in MODALITIES):
            flair, t1, t1ce, t2 = (members[kind] for kind in MODALITIES)
            labels = _labels_of(folder, name, members)
            cases.append(BratsCase(folder, name or folder.name, (flair, t1, t1ce, t2), labels))
    return cases


def classes_from_ids(ids: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Return the network's classes 0 to 3 from the ids 0, 1, 2 and 4 (3 in 2023).

    Raises
    ------
    ConfigurationError
        If other ids occur, or both 3 and 4.
    """
    whole = np.rint(ids).astype(np.int64)
    found = set(np.unique(whole).tolist())
    if not found <= {0, 1, 2, 3, 4} or {3, 4} <= found:
        raise ConfigurationError(f"'{path}' has label ids {sorted(found)}; BraTS has 0, 1, 2 and 4 (or 3 in 2023)")
    return np.where(whole == 4, 3, whole).astype(np.uint8)


def regions(classes: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Return BraTS's three nested regions from the network's classes."""
    return {
        "whole tumour": classes > 0,
        "tumour core": (classes == 1) | (classes == 3),
        "enhancing tumour": classes == 3,
    }


def case_frames(case: BratsCase) -> Iterator[Frame]:
    """Yield the axial slices of a case, (H, W, 4), one in memory."""
    images = [open_nifti(path) for path in case.modalities]
    shape = tuple(int(extent) for extent in images[0].shape[:3])
    for image, path in zip(images, case.modalities, strict=True):
        if math.prod(image.shape[3:]) != 1 or image.shape[:3] != shape:
            raise ShapeError(
                f"'{path}' has shape {tuple(image.shape)}, its case's first modality {shape}; they must be registered"
            )
    affine = np.asarray(images[0].affine, np.float64)
    spacing = np.linalg.norm(affine[:3, :2], axis=0)
    place = (shape[2], (float(spacing[0]), float(spacing[1])), affine)
    for index, slices in enumerate(zip(*(nifti_slices(path) for path in case.modalities), strict=True)):
        yield Frame(plain(np.stack(slices, axis=-1)), case.folder, index, *place)
