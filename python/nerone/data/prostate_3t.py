"""Prostate-3T (TCIA, doi:10.7937/K9/TCIA.2015.QJTV5IL5, CC BY 3.0) and its NCI-ISBI 2013 masks: DICOM series beside
NRRD files.

Its traps, handled here: InstanceNumber may run against the position, and the masks' axes are swapped or flipped
against the images': both are matched in millimetres. Ids: 1 peripheral zone, 2 central gland.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.dicom import DicomSeries
from nerone.data.itk import is_itk, read_itk
from nerone.data.nifti import is_nifti, read_nifti
from nerone.errors import ConfigurationError

__all__ = ["CLASSES", "Mask", "find_mask", "mask_files", "mask_on_series", "read_mask"]

CLASSES = ("background", "peripheral zone", "central gland")


@dataclass(frozen=True)
class Mask:
    """Label ids and where they lie.

    Attributes
    ----------
    ids : (I, J, K) uint8
    affine : (4, 4) float64, (i, j, k) to millimetres, right-anterior-superior
    """

    ids: NDArray[np.uint8]
    affine: NDArray[np.float64]


def is_mask_file(path: Path) -> bool:
    """Return by its name whether a file is an NRRD, MetaImage or NIfTI volume."""
    return is_itk(path) or is_nifti(path)


def mask_files(folder: Path) -> list[Path]:
    """List the mask files at any depth of a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and is_mask_file(path)]


def read_mask(path: Path, *, highest: int = 2) -> Mask:
    """Read a mask in its own axes.

    Raises
    ------
    ConfigurationError
        If the file is missing, damaged, or has ids other than 0 to ``highest``.
    """
    if is_nifti(path):
        data, affine = read_nifti(path)
    else:
        data, affine = read_itk(path)
    ids = np.rint(data)
    if ids.size and not (ids.min() >= 0 and ids.max() <= highest):
        raise ConfigurationError(f"'{path}' has label ids from {ids.min():g} to {ids.max():g}; expected 0 to {highest}")
    return Mask(ids.astype(np.uint8), affine)


def find_mask(series: DicomSeries, masks: Sequence[Path]) -> Path | None:
    """Return the mask named after the series' patient (or a folder the series lies in), the shortest such name
    first.
    """
    patient = series.patient.lower()
    named = [path for path in masks if patient and patient in path.name.lower()]
    if not named:
        parts = {part.lower() for part in series.files[0].parent.parts}
        named = [path for path in masks if path.name.split(".")[0].lower() in parts]
    return min(named, key=lambda path: len(path.name)) if named else None


def mask_on_series(mask: Mask, series: DicomSeries, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return the mask at the voxels of a series, nearest in millimetres.

    Returns
    -------
    (rows, columns, slices) uint8; 0 where the mask has no voxel

    Raises
    ------
    ConfigurationError
        If the two do not overlap in space.
    """
    to_mask = np.linalg.inv(mask.affine) @ series.affine
    grid = np.meshgrid(np.arange(rows), np.arange(columns), np.arange(len(series.files)), indexing="ij")
    points = np.stack([axis.ravel() for axis in grid]).astype(np.float64)
    index = np.rint(to_mask[:3, :3] @ points + to_mask[:3, 3:]).astype(np.int64)
    inside = np.all((index >= 0) & (index < np.array(mask.ids.shape)[:, None]), axis=0)
    if not inside.any():
        raise ConfigurationError(
            f"the mask of '{series.files[0].parent}' lies elsewhere in space; it belongs to another series"
        )
    found = np.zeros(points.shape[1], np.uint8)
    i, j, k = index[:, inside]
    found[inside] = mask.ids[i, j, k]
    return found.reshape(rows, columns, len(series.files))
