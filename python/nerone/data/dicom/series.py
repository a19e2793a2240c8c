"""One DICOM volume: its slices sorted by where they lie, not by their numbers, which may run backwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.data.dicom.header import Header
from nerone.errors import ConfigurationError

__all__ = ["DicomSeries", "alike", "difference", "repeats", "sorted_series"]

# What tells the volumes of one series apart where several slices lie at one place: echoes, phases, times, b-values.
_REPEATS = (
    "EchoNumbers",
    "EchoTime",
    "ImageType",
    "TemporalPositionIdentifier",
    "DiffusionBValue",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionTime",
)
_SAME_MM, _SAME_COSINE = 1e-3, 1e-3


@dataclass(frozen=True)
class DicomSeries:
    """The slices of one volume, sorted along their normal, and its geometry.

    Attributes
    ----------
    uid, patient : str
    files : tuple of Path, one a slice, by rising position along the slices' normal
    affine : (4, 4) float64, (row, column, slice) to millimetres, right-anterior-superior
    spacing_mm : (rows, columns)
    rows, columns : int, pixels of a slice
    path : the folder, the first file where several volumes lie in one, the file itself where it has all frames
    multiframe : bool, whether one file holds all slices
    """

    uid: str
    patient: str
    files: tuple[Path, ...]
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    path: Path
    multiframe: bool = False


def alike(members: Sequence[Header]) -> list[list[Header]]:
    """Group slices that can lie in one volume."""
    kinds: list[list[Header]] = []
    for header in members:
        for kind in kinds:
            if not difference(kind[0], header):
                kind.append(header)
                break
        else:
            kinds.append([header])
    return kinds


def difference(one: Header, other: Header) -> str:
    """Return what keeps two slices from lying in one volume; empty where nothing does."""
    if (one.rows, one.columns) != (other.rows, other.columns):
        return f"it has {other.rows} x {other.columns} pixels, they have {one.rows} x {one.columns}"
    if np.abs(one.orientation - other.orientation).max() > _SAME_COSINE:
        theirs, its = (np.round(header.orientation, 4).tolist() for header in (one, other))
        return f"its orientation is {its}, theirs {theirs}"
    if max(abs(a - b) for a, b in zip(one.spacing_mm, other.spacing_mm, strict=True)) > _SAME_MM:
        theirs, its = (f"{header.spacing_mm[0]:g} x {header.spacing_mm[1]:g} mm" for header in (one, other))
        return f"its pixels are {its}, theirs {theirs}"
    for name in ("FrameOfReferenceUID", "SOPClassUID", "SamplesPerPixel"):
        theirs, its = (str(header.data.get(name) or "") for header in (one, other))
        if theirs != its:
            return f"its {name} is '{its}', theirs '{theirs}'"
    return ""


def _heights(members: Sequence[Header]) -> NDArray[np.float64]:
    normal = members[0].normal
    return np.asarray([float(header.position @ normal) for header in members])


def _places_repeat(members: Sequence[Header]) -> bool:
    return len(members) > 1 and bool(np.diff(np.sort(_heights(members))).min() <= _SAME_MM)


def repeats(members: list[Header]) -> list[list[Header]]:
    """Split slices that lie at one place by the first tag that tells them apart; as they are where none does."""
    if not _places_repeat(members):
        return [members]
    for name in _REPEATS:
        parts: dict[str, list[Header]] = {}
        for header in members:
            parts.setdefault(str(header.data.get(name)), []).append(header)
        sizes = Counter(len(part) for part in parts.values())
        if len(parts) > 1 and len(sizes) == 1 and not any(_places_repeat(part) for part in parts.values()):
            return list(parts.values())
    return [members]


def sorted_series(members: list[Header]) -> DicomSeries:
    """Return the volume of slices that can make one.

    Raises
    ------
    ConfigurationError
        If two lie at one place, one is missing in between, or one lies beside the line of the others, naming it.
    """
    heights = _heights(members)
    order = np.argsort(heights, kind="stable")
    ordered = [members[i] for i in order]
    steps = np.diff(heights[order])
    if len(steps) and steps.min() <= _SAME_MM:
        twin = ordered[int(np.argmin(steps)) + 1].path
        raise ConfigurationError(f"'{twin}' lies where another slice of its series lies; remove the duplicate")
    usual = float(np.sort(steps)[(len(steps) - 1) // 2]) if len(steps) else 0.0
    if len(steps) and steps.max() > 1.5 * usual:
        gap = ordered[int(np.argmax(steps)) + 1].path
        raise ConfigurationError(
            f"slices are missing before '{gap}': a gap of {steps.max():.2f} mm among steps of {usual:.2f} mm"
        )
    first = ordered[0]
    _check_line(ordered)
    affine = _affine(first, ordered[-1].position, len(ordered))
    files = tuple(header.path for header in ordered)
    return DicomSeries(
        first.series, first.patient, files, affine, first.spacing_mm, first.rows, first.columns, files[0]
    )


def _check_line(ordered: Sequence[Header]) -> None:
    """Refuse slices that lie beside the line of the others or at uneven steps: one affine cannot place them."""
    if len(ordered) < 3:
        return
    places = np.stack([header.position for header in ordered])
    # The median step stands whatever one slice does.
    step = np.median(np.diff(places, axis=0), axis=0)
    middle = len(places) // 2
    expected = places[middle] + (np.arange(len(places)) - middle)[:, np.newaxis] * step
    away = places - np.median(places - expected, axis=0) - expected
    normal = ordered[0].normal
    along = np.abs(away @ normal)
    across = np.linalg.norm(away - np.outer(away @ normal, normal), axis=1)
    worst = int(np.argmax(across / (0.1 * min(ordered[0].spacing_mm) + 0.05) + along / (0.25 * abs(step @ normal))))
    if across[worst] > 0.1 * min(ordered[0].spacing_mm) + 0.05 or along[worst] > 0.25 * abs(float(step @ normal)):
        raise ConfigurationError(
            f"'{ordered[worst].path}' lies {across[worst]:.2f} mm beside and {along[worst]:.2f} mm along the line of "
            "the other slices; it belongs to another volume, or the slices are not evenly spaced"
        )


def _affine(first: Header, last_position: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return (row, column, slice) to millimetres; DICOM's left-posterior-superior is turned to
    right-anterior-superior (DICOM PS3.3 C.7.6.2.1.1).
    """
    row_mm, column_mm = first.spacing_mm
    thickness = float(first.data.get("SliceThickness") or 1.0)
    thickness = abs(thickness) if np.isfinite(thickness) else 1.0
    step = (last_position - first.position) / (count - 1) if count > 1 else first.normal * thickness
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[3:] * row_mm
    affine[:3, 1] = first.orientation[:3] * column_mm
    affine[:3, 2], affine[:3, 3] = step, first.position
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
