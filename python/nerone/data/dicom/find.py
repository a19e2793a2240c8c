"""The volumes that the DICOM files of a folder make."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nerone.data.dicom.header import Header, read_header
from nerone.data.dicom.multiframe import multiframe_series
from nerone.data.dicom.series import DicomSeries, alike, difference, repeats, sorted_series
from nerone.errors import Error

__all__ = ["Found", "find_series", "scan_folders"]


@dataclass
class Found:
    """Content of a folder.

    Attributes
    ----------
    series : volumes
    pictures : (file, pages) of images that lie nowhere in space
    left_out : (file, why) of what belongs to no volume
    """

    series: list[DicomSeries] = field(default_factory=list)
    pictures: list[tuple[Path, int]] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def find_series(files: Iterable[Path], *, skip_bad: bool = False) -> Found:
    """Group the files of a folder into volumes, each sorted by ImagePositionPatient along its normal.

    Slices of one volume share SeriesInstanceUID, size, orientation, spacing and frame of reference. Objects that are no
    images (reports, structures, segmentations, directories) are passed over.

    Parameters
    ----------
    files : DICOM files
    skip_bad : leave out files whose header cannot be used, and volumes that have a gap

    Raises
    ------
    ConfigurationError
        If a file cannot be read, lacks its geometry, lies twice at one place or beside the line of the others, or a
        slice is missing in between; only without ``skip_bad``.
    """
    found = Found()
    groups: dict[str, list[Header]] = {}
    frames: list[Header] = []
    for path in files:
        try:
            header = read_header(path)
        except Error as error:
            if not skip_bad:
                raise
            found.left_out.append((path, str(error)))
            continue
        if header.kind == "slice":
            groups.setdefault(header.series, []).append(header)
        elif header.kind == "picture":
            found.pictures.append((path, max(1, int(header.data.get("NumberOfFrames") or 1))))
        elif header.kind == "frames":
            frames.append(header)
    for members in groups.values():
        _add_volumes(found, members, skip_bad)
    for header in frames:
        _add(found, skip_bad, header.path, [header])
    if len(found.series) == 1 and not found.series[0].multiframe:
        only = found.series[0]
        found.series = [replace(only, path=_folder(only.files))]
    if found.series:
        found.left_out += [(path, f"'{path}' lies nowhere in space, beside a volume") for path, _ in found.pictures]
        found.pictures = []
    return found


def _folder(files: Iterable[Path]) -> Path:
    """Return the folder that all files lie in."""
    return Path(os.path.commonpath([path.parent for path in files]))


def scan_folders(folders: Mapping[Path, list[Path]]) -> list[list[Path]]:
    """Put the files of folders together that hold slices of one series; copies of a series stay apart.

    Parameters
    ----------
    folders : DICOM files by their folder

    Returns
    -------
    Lists of files, each of one folder or of several with a common series, none of whose slices lie at one place.
    """
    if len(folders) < 2:
        return list(folders.values())
    merged: list[tuple[list[Path], dict[str, set[Any]]]] = []
    for files in folders.values():
        places = _places(files)
        for other, theirs in merged:
            common = places.keys() & theirs.keys()
            if common and not any(places[uid] & theirs[uid] for uid in common):
                other += files
                for uid, at in places.items():
                    theirs.setdefault(uid, set()).update(at)
                break
        else:
            merged.append((list(files), places))
    return [files for files, _ in merged]


def _places(files: Iterable[Path]) -> dict[str, set[Any]]:
    """Return where the slices of each series lie; a file that does not say it, or has many frames, lies nowhere."""
    import pydicom

    found: dict[str, set[Any]] = {}
    for path in files:
        try:
            data = pydicom.dcmread(
                path,
                stop_before_pixels=True,
                force=True,
                specific_tags=["SeriesInstanceUID", "ImagePositionPatient"],
            )
            uid = str(data.get("SeriesInstanceUID") or "")
            place = tuple(float(mm) for mm in data.get("ImagePositionPatient") or ())
        except Exception:  # a file that cannot be read is named where it is needed
            continue
        if uid:
            found.setdefault(uid, set()).add(place)
    return found


def _add(found: Found, skip_bad: bool, path: Path, members: list[Header]) -> None:
    try:
        found.series.append(multiframe_series(members[0]) if members[0].kind == "frames" else sorted_series(members))
    except Error as error:
        if not skip_bad:
            raise
        found.left_out.append((path, str(error)))


def _add_volumes(found: Found, members: list[Header], skip_bad: bool) -> None:
    """Add the volumes of one series; a few slices of another kind, such as a localizer, are left out and named."""
    volumes = sorted((v for kind in alike(members) for v in repeats(kind)), key=len, reverse=True)
    for volume in volumes:
        if len(volume) < 3 and len(volume) < len(volumes[0]):
            why = difference(volumes[0][0], volume[0])
            found.left_out += [
                (h.path, f"'{h.path}' does not belong to the other {len(volumes[0])} slices of its series: {why}")
                for h in volume
            ]
            continue
        folder = _folder([header.path for header in volume])
        _add(found, skip_bad, folder if len(volumes) == 1 else volume[0].path, volume)
