"""CT-ORG (Rister et al., TCIA, doi:10.7937/tcia.2019.tt7f4v7o): ``volume-N.nii.gz`` and ``labels-N.nii.gz`` in one
folder.

Its traps, handled here: labels stored as floats such as 2.9999999993, padding of -3024 HU outside the scanner's
circle, and the brain (id 6), which the paper leaves out: slices that show it are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.nifti import read_nifti
from nerone.errors import ConfigurationError

__all__ = ["BRAIN", "CLASSES", "CtOrgCase", "cases", "read_labels", "read_volume", "slices_without_brain"]

CLASSES = ("background", "liver", "bladder", "lungs", "kidneys", "bone")
BRAIN = 6
_NAME = re.compile(r"volume-(\d+)\.nii(\.gz)?$")


@dataclass(frozen=True)
class CtOrgCase:
    """One patient: paths of the volume and, where present, of its labels."""

    number: int
    volume: Path
    labels: Path | None


def cases(folder: Path | str) -> list[CtOrgCase]:
    """List the patients of a CT-ORG folder (or of its subfolder OrganSegmentations) by number.

    Raises
    ------
    ConfigurationError
        If there is no ``volume-N.nii.gz``.
    """
    folder = Path(folder)
    found = []
    for place in (folder, folder / "OrganSegmentations"):
        for path in sorted(place.glob("volume-*.nii*")) if place.is_dir() else []:
            match = _NAME.match(path.name)
            if match is None:
                continue
            names = [path.with_name(f"labels-{match[1]}.nii{ending}") for ending in (".gz", "")]
            labels = next((name for name in names if name.is_file()), None)
            found.append(CtOrgCase(int(match[1]), path, labels))
    if not found:
        raise ConfigurationError(
            f"'{folder}' holds no volume-N.nii.gz; CT-ORG's layout is volume-N.nii.gz beside labels-N.nii.gz"
        )
    return sorted(found, key=lambda case: case.number)


def read_volume(path: Path) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Read Hounsfield units (X, Y, Z) int16 and the affine; padding below -1024 becomes air."""
    data, affine = read_nifti(path)
    return np.clip(np.rint(np.nan_to_num(data, nan=0.0)), -1024, 32767).astype(np.int16), affine


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Read label ids (X, Y, Z) uint8; floats are rounded.

    Raises
    ------
    ConfigurationError
        If ids other than 0 to 6 occur.
    """
    data, _ = read_nifti(path)
    ids = np.rint(data)
    if ids.size and not (ids.min() >= 0 and ids.max() <= BRAIN and np.abs(data - ids).max() <= 0.01):
        raise ConfigurationError(
            f"'{path}' has labels from {data.min():g} to {data.max():g}; CT-ORG's are whole numbers from 0 to 6"
        )
    return np.asarray(ids, np.uint8)


def slices_without_brain(labels: NDArray[np.uint8]) -> Iterator[int]:
    """Yield the indices of the axial slices in which no voxel is brain."""
    for index in range(labels.shape[2]):
        if not np.any(labels[:, :, index] == BRAIN):
            yield index
