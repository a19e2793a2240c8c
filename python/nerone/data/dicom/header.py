"""The header of one DICOM file, read without its pixels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.data.extent import check_deflated
from nerone.data.reading import named_errors
from nerone.errors import ConfigurationError

__all__ = ["Header", "is_dicom", "read_header"]

# Objects that have pixels and are no images to segment: segmentations, doses, presentation and dose screens' planes.
_NO_IMAGES = ("SEG", "RTDOSE", "RTPLAN", "RTSTRUCT", "SR", "PR", "KO", "REG", "DOC", "ECG", "M3D")
_EXPLICIT = re.compile(rb"(AE|AS|AT|CS|DA|DS|DT|FL|FD|IS|LO|LT|OB|OW|PN|SH|SL|SQ|SS|ST|TM|UI|UL|UN|US|UT)")
_DIRECTORY = "1.2.840.10008.1.3.10"
# Modalities whose images lie in space; of others (a photograph, an ultrasound, a screen) one is a picture.
_VOLUMES = ("CT", "MR", "PT", "NM")


@dataclass(frozen=True)
class Header:
    """The fields of a file that grouping slices needs.

    Attributes
    ----------
    kind : "slice", "frames" (enhanced multi-frame), "picture" (lies nowhere in space), or "other" (no image)
    position : (3,) float64, millimetres left-posterior-superior of the middle of the first pixel
    orientation : (6,) float64, cosines along a row and along a column
    spacing_mm : (rows, columns)
    data : the pydicom dataset, without pixels
    """

    path: Path
    kind: Literal["slice", "frames", "picture", "other"]
    series: str
    patient: str
    rows: int
    columns: int
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    data: Any

    @property
    def normal(self) -> NDArray[np.float64]:
        """Direction across the slice."""
        return np.asarray(np.cross(self.orientation[:3], self.orientation[3:]))


def is_dicom(path: Path) -> bool:
    """Tell by its content whether a file is DICOM, with or without preamble; the ending ``.dcm`` is believed."""
    if path.suffix.lower() == ".dcm":
        return True
    try:
        return _has_mark(path) or _begins_with_elements(path)
    except OSError:
        return False


def _has_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _begins_with_elements(path: Path) -> bool:
    """Tell whether a file without preamble begins with an element of group 2 or 8, explicit or implicit."""
    with path.open("rb") as file:
        start = file.read(132)
    if start[:2] not in (b"\x02\x00", b"\x08\x00") or len(start) < 132 or start[3] != 0:
        return False
    return bool(_EXPLICIT.match(start[4:6])) or int.from_bytes(start[4:8], "little") < 1024


def read_header(path: Path) -> Header:
    """Read a file's header.

    Raises
    ------
    ConfigurationError
        If it is no DICOM, or an image whose place in space is missing or no number, naming the file.
    """
    import pydicom

    check_deflated(path)
    with named_errors(path, "DICOM"):
        marked = _has_mark(path)
        if not marked and not _begins_with_elements(path):
            raise ConfigurationError(f"'{path}' cannot be read as DICOM: it has no DICOM mark; it may be damaged")
        data = pydicom.dcmread(path, stop_before_pixels=True, force=not marked)
        if not any(name in data for name in ("SOPClassUID", "Modality", "Rows", "DirectoryRecordSequence")):
            raise ConfigurationError(
                f"'{path}' cannot be read as DICOM: it does not say what it is; it may be damaged or half downloaded"
            )
        kind = _kind(data)
        series, patient = (str(data.get(name) or "") for name in ("SeriesInstanceUID", "PatientID"))
        rows, columns = int(data.get("Rows") or 0), int(data.get("Columns") or 0)
        position, orientation, spacing = np.zeros(3), np.zeros(6), (1.0, 1.0)
        if kind == "slice":
            position = _numbers(data, "ImagePositionPatient", 3, path)
            orientation = _numbers(data, "ImageOrientationPatient", 6, path)
            row_mm, column_mm = map(float, _numbers(data, "PixelSpacing", 2, path))
            spacing = (row_mm, column_mm)
            _check_geometry(path, orientation, spacing, rows, columns)
            if not series:
                raise ConfigurationError(f"'{path}' has no SeriesInstanceUID; it is no slice of a CT or MR series")
        return Header(path, kind, series, patient, rows, columns, position, orientation, spacing, data)


def _kind(data: Any) -> Literal["slice", "frames", "picture", "other"]:
    modality = str(data.get("Modality") or "")
    directory = str(getattr(data.file_meta, "MediaStorageSOPClassUID", "")) == _DIRECTORY
    if directory or modality in _NO_IMAGES or "Rows" not in data or "Columns" not in data:
        return "other"
    if "SharedFunctionalGroupsSequence" in data or "PerFrameFunctionalGroupsSequence" in data:
        return "frames"
    secondary = "Secondary Capture" in getattr(data.get("SOPClassUID"), "name", "")
    placed = "ImagePositionPatient" in data or "ImageOrientationPatient" in data
    return "slice" if placed or (modality in _VOLUMES and not secondary) else "picture"


def _numbers(data: Any, name: str, count: int, path: Path) -> NDArray[np.float64]:
    value = data.get(name)
    if name not in data or value is None or (not isinstance(value, (int, float)) and len(value) == 0):
        missing = "no" if name not in data else "an empty"
        raise ConfigurationError(f"'{path}' has {missing} {name}; it is no slice of a CT or MR series")
    found = np.atleast_1d(np.asarray(value, np.float64))
    if found.shape != (count,) or not np.isfinite(found).all():
        raise ConfigurationError(
            f"'{path}' has {name} {value}; expected {count} numbers: mend the header or leave the file out"
        )
    return found


def _check_geometry(
    path: Path, orientation: NDArray[np.float64], spacing: tuple[float, float], rows: int, columns: int
) -> None:
    row, column = orientation[:3], orientation[3:]
    lengths = [float(np.linalg.norm(vector)) for vector in (row, column)]
    if abs(float(row @ column)) > 1e-2 or not all(math.isclose(length, 1, abs_tol=1e-2) for length in lengths):
        raise ConfigurationError(
            f"'{path}' has ImageOrientationPatient {orientation.tolist()}; expected two unit vectors at a right angle"
        )
    if min(spacing) <= 0 or rows < 1 or columns < 1:
        raise ConfigurationError(
            f"'{path}' has {rows} x {columns} pixels of {spacing[0]:g} x {spacing[1]:g} mm; expected positive numbers"
        )
