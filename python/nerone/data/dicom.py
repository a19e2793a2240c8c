"""DICOM series: slices sorted by where they lie in the patient, not by their numbers, which may run backwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import plain
from nerone.errors import ConfigurationError

__all__ = ["DicomSeries", "find_series", "is_dicom", "read_slice", "series_affine"]


@dataclass(frozen=True)
class DicomSeries:
    """The files of one series, sorted along its normal, and its geometry.

    Attributes
    ----------
    uid, patient : str
    files : tuple of Path, one slice each, by rising position along the slices' normal
    affine : (4, 4) float64, (row, column, slice) to millimetres, right-anterior-superior
    spacing_mm : (rows, columns)
    rows, columns : int, pixels of a slice
    """

    uid: str
    patient: str
    files: tuple[Path, ...]
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM: by its ending, or by the mark after its preamble."""
    if path.suffix.lower() == ".dcm":
        return True
    if path.suffix:
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _header(path: Path) -> Any:
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:
        raise ConfigurationError(
            f"'{path}' cannot be read as DICOM ({error}); it may be damaged or half downloaded"
        ) from error
    for name in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SeriesInstanceUID",
        "Rows",
        "Columns",
    ):
        if name not in header:
            raise ConfigurationError(f"'{path}' has no {name}; it is no slice of a CT or MR series")
    return header


def series_affine(first: Any, last_position: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the affine of a series from the header of its first slice and the position of its last.

    (row, column, slice) to millimetres; DICOM's left-posterior-superior is turned to right-anterior-superior
    (DICOM PS3.3 C.7.6.2.1.1).
    """
    along_row, along_column = np.asarray(first.ImageOrientationPatient, np.float64).reshape(2, 3)
    row_mm, column_mm = map(float, first.PixelSpacing)
    origin = np.asarray(first.ImagePositionPatient, np.float64)
    normal = np.cross(along_row, along_column)
    thickness = float(getattr(first, "SliceThickness", 0) or 1.0)
    step = (last_position - origin) / (count - 1) if count > 1 else normal * thickness
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = (
        along_column * row_mm,
        along_row * column_mm,
        step,
        origin,
    )
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def _sorted_series(uid: str, members: list[tuple[Path, Any]]) -> DicomSeries:
    first = members[0][1]
    normal = np.cross(*np.asarray(first.ImageOrientationPatient, np.float64).reshape(2, 3))
    heights = [float(np.asarray(h.ImagePositionPatient, np.float64) @ normal) for _, h in members]
    order = np.argsort(heights, kind="stable")
    steps = np.diff(np.asarray(heights)[order])
    if len(steps) and steps.min() <= 1e-3:
        twin = members[order[int(np.argmin(steps)) + 1]][0]
        raise ConfigurationError(f"'{twin}' lies where another slice of its series lies; remove the duplicate")
    if len(steps) and steps.max() > 1.5 * np.median(steps):
        gap = members[order[int(np.argmax(steps)) + 1]][0]
        raise ConfigurationError(
            f"slices are missing before '{gap}': a gap of {steps.max():.2f} mm among steps of {np.median(steps):.2f} mm"
        )
    header = members[order[0]][1]
    last = np.asarray(members[order[-1]][1].ImagePositionPatient, np.float64)
    row_mm, column_mm = map(float, header.PixelSpacing)
    files = tuple(members[i][0] for i in order)
    patient = str(getattr(header, "PatientID", ""))
    affine = series_affine(header, last, len(order))
    return DicomSeries(uid, patient, files, affine, (row_mm, column_mm), int(header.Rows), int(header.Columns))


def find_series(files: Iterable[Path]) -> list[DicomSeries]:
    """Group files into series, each sorted by ImagePositionPatient along its normal.

    Raises
    ------
    ConfigurationError
        If a file cannot be read, lacks its geometry, lies twice at one place, or a slice is missing in between.
    """
    groups: dict[str, list[tuple[Path, Any]]] = {}
    for path in files:
        header = _header(path)
        groups.setdefault(str(header.SeriesInstanceUID), []).append((path, header))
    return [_sorted_series(uid, members) for uid, members in groups.items()]


def read_slice(path: Path) -> NDArray[Any]:
    """Read one slice (rows, columns), rescaled to Hounsfield units where the header says so."""
    import pydicom

    try:
        data = pydicom.dcmread(path)
        pixels = np.asarray(data.pixel_array)
    except Exception as error:
        raise ConfigurationError(
            f"'{path}' cannot be decoded ({error}); it may be damaged or need another codec"
        ) from error
    if pixels.ndim != 2:
        raise ConfigurationError(f"'{path}' holds pixels of shape {pixels.shape}; expected one grey slice")
    slope, intercept = float(getattr(data, "RescaleSlope", 1)), float(getattr(data, "RescaleIntercept", 0))
    return plain(pixels if (slope, intercept) == (1.0, 0.0) else pixels * slope + intercept)
