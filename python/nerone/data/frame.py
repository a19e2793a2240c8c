"""One picture as it came from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.orientation import AS_STORED, Turn

__all__ = ["Frame", "plain"]


@dataclass(frozen=True)
class Frame:
    """One picture as it was stored, and where it came from.

    Attributes
    ----------
    image : (H, W) or (H, W, C) uint8, uint16, int16 or float32, C-contiguous. A slice of a volume keeps the volume's
        axes: its rows are the first stored axis, its columns the second; a DICOM slice is rows by columns. Where the
        reader was given a preprocessing, axes are turned to the orientation it declares. CT is in Hounsfield units.
    source : Path, the file, or the folder of a series
    index : int or None, number of the slice in its volume, page or series
    count : int, slices of that source
    spacing_mm : (float, float) or None, distance of rows and of columns
    affine : (4, 4) float64 or None, index of the volume's voxels (row, column, slice) to millimetres,
        right-anterior-superior
    turn : from the grid that masks are written on to the volume's axes here. Of NIfTI that is the file's grid, of a
        DICOM series SimpleITK's (columns, rows, slices)
    """

    image: NDArray[Any]
    source: Path
    index: int | None = None
    count: int = 1
    spacing_mm: tuple[float, float] | None = None
    affine: NDArray[np.float64] | None = None
    turn: Turn = AS_STORED


def plain(data: NDArray[Any]) -> NDArray[Any]:
    """Return ``data`` as uint8, uint16, int16 or float32: integers where they fit exactly, else float32."""
    if data.dtype.newbyteorder("=") in (np.uint8, np.uint16, np.int16, np.float32):
        return np.ascontiguousarray(data, data.dtype.newbyteorder("="))
    if data.dtype == np.bool_:
        return np.ascontiguousarray(data, np.uint8)
    low, high = (float(data.min()), float(data.max())) if data.size else (0.0, 0.0)
    whole = data.dtype.kind in "iu" or bool(np.all(data == np.rint(data)))
    if whole and low >= -32768 and high <= 32767:
        return np.ascontiguousarray(data, np.int16)
    if whole and low >= 0 and high <= 65535:
        return np.ascontiguousarray(data, np.uint16)
    return np.ascontiguousarray(data, np.float32)
