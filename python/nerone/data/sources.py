"""Frames from whatever a user has: NIfTI volumes, DICOM series, pictures, arrays, folders of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nerone.data.brats import group_cases, incomplete_cases
from nerone.data.dicom import DicomSeries, find_series, is_dicom, scan_folders
from nerone.data.frame import Frame
from nerone.data.itk import is_itk
from nerone.data.nifti import is_nifti
from nerone.data.pictures import is_picture
from nerone.data.prostate_3t import find_mask
from nerone.data.reading import named_errors
from nerone.data.source import (
    Source,
    case_source,
    itk_source,
    nifti_source,
    pages_source,
    picture_source,
    series_source,
)
from nerone.errors import ConfigurationError, Error
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["Frame", "Frames", "Source", "find_sources", "frames", "is_label_file"]

_LABEL_FOLDERS = ("labels", "masks", "labelstr", "labelsts", "segmentations", "ground_truth")


@dataclass
class Frames(Iterable[Frame]):
    """Frames of a path, streamed volume by volume; can be iterated again.

    Attributes
    ----------
    sources : tuple of Source
    skip_bad : bool, whether a file that cannot be read is left out rather than raised
    skipped : list of (Path, str), the files left out so far and why
    """

    sources: tuple[Source, ...]
    skip_bad: bool = False
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(source.count for source in self.sources)

    def __iter__(self) -> Iterator[Frame]:
        for source in self.sources:
            try:
                # All frames of a source or none, so that half a volume is not used and yet listed as left out.
                yield from list(source.read()) if self.skip_bad else source.read()
            except Error as error:
                if not self.skip_bad:
                    raise
                self.skipped.append((source.path, str(error)))


def is_label_file(path: Path) -> bool:
    """Return by name or folder whether a file holds labels rather than an image."""
    stem = path.name.lower().split(".")[0]
    return (
        stem.startswith(("labels-", "labels_", "segmentation-", "mask_", "mask-"))
        or stem.endswith(("_seg", "-seg", "_mask", "-mask", "_label", "_labels"))
        or path.parent.name.lower() in _LABEL_FOLDERS
        or path.parent.name.lower().startswith("segmentations")
    )


def _refuse_case(folder: Path, missing: list[str]) -> Source:
    raise ConfigurationError(
        f"the case in '{folder}' has no {' and no '.join(missing)}; a BraTS case has flair, t1, t1ce and t2: it may be "
        "half downloaded"
    )


class _Finder:
    """Collects sources and, with ``skip_bad``, the files that cannot even be opened."""

    def __init__(self, skip_bad: bool, steps: Preprocessing | None) -> None:
        self.skip_bad, self.steps = skip_bad, steps
        self.sources: list[Source] = []
        self.skipped: list[tuple[Path, str]] = []

    def add(self, path: Path, make: Callable[[], Source | list[Source]]) -> None:
        try:
            with named_errors(path, "a scan or picture"):
                made = make()
                found = [source.turned(self.steps) for source in (made if isinstance(made, list) else [made])]
        except Error as error:
            if not self.skip_bad:
                raise
            self.skipped.append((path, str(error)))
            return
        self.sources += found

    def add_dicom(self, files: list[Path]) -> list[Source]:
        found = find_series(files, skip_bad=self.skip_bad)
        self.skipped += found.left_out
        return [series_source(one) for one in found.series] + [pages_source(*one) for one in found.pictures]

    def add_files(self, files: list[Path]) -> None:
        niftis = [file for file in files if is_nifti(file)]
        for folder, files_there, missing in incomplete_cases(niftis):
            self.add(folder, lambda folder=folder, missing=missing: _refuse_case(folder, missing))  # type: ignore[misc]
            niftis = [file for file in niftis if file not in files_there]
        grouped = group_cases(niftis)
        members = {file for case in grouped for file in case.modalities}
        for case in grouped:
            self.add(case.folder, lambda case=case: case_source(case))  # type: ignore[misc]
        for file in (f for f in niftis if f not in members):
            self.add(file, lambda file=file: nifti_source(file))  # type: ignore[misc]
        slices: dict[Path, list[Path]] = {}
        itks = [file for file in files if is_itk(file)]
        for file in files:
            if is_picture(file):
                self.add(file, lambda file=file: picture_source(file))  # type: ignore[misc]
            elif not is_nifti(file) and not is_itk(file) and is_dicom(file):
                slices.setdefault(file.parent, []).append(file)
        for group in scan_folders(slices):
            self.add(group[0].parent, lambda group=group: self.add_dicom(group))  # type: ignore[misc]
        details = [source.detail for source in self.sources if isinstance(source.detail, DicomSeries)]
        masks = {find_mask(series, itks) for series in details}
        for file in (f for f in itks if f not in masks):
            self.add(file, lambda file=file: itk_source(file))  # type: ignore[misc]


def _by_number(path: Path) -> list[tuple[int, int | str]]:
    """Sort key that puts volume-2 before volume-10."""
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in re.split(r"(\d+)", str(path)) if piece]


def find_sources(
    path: Path | str, *, skip_bad: bool = False, steps: Preprocessing | None = None
) -> tuple[list[Source], list[tuple[Path, str]]]:
    """List what a path holds, without reading voxels, and the files that were skipped.

    With ``steps`` the frames are turned to the orientation that they declare.

    Raises
    ------
    ConfigurationError
        If the path is missing, of an unknown kind, or a folder without a scan or picture.
    """
    path = Path(path)
    finder = _Finder(skip_bad, steps)
    if path.is_dir():
        every = [
            p
            for p in sorted(path.rglob("*"), key=_by_number)
            if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
        ]
        finder.add_files([file for file in every if not is_label_file(file)])
        if not finder.sources and not finder.skipped:
            raise ConfigurationError(
                f"the folder '{path}' holds no NIfTI, NRRD or MetaImage volume, DICOM series, picture or npy array"
            )
    elif path.is_file():
        if not (is_nifti(path) or is_itk(path) or is_picture(path) or is_dicom(path)):
            raise ConfigurationError(f"'{path}' is no NIfTI, NRRD, MetaImage, DICOM, PNG, JPEG, TIFF, BMP or npy file")
        finder.add_files([path])
    else:
        raise ConfigurationError(f"'{path}' does not exist")
    if not finder.sources:
        first = finder.skipped[0][1] if finder.skipped else f"'{path}' holds no image"
        raise ConfigurationError(f"nothing in '{path}' can be read: {first}")
    return finder.sources, finder.skipped


def frames(path: Path | str, *, skip_bad: bool = False, steps: Preprocessing | None = None) -> Frames:
    """Return the frames of a file or folder in order, streamed: as stored, or turned to what a network expects.

    Parameters
    ----------
    path : a NIfTI, NRRD or MetaImage volume, a DICOM file or series, a PNG, JPEG, TIFF, BMP or npy file, or a folder
        with any of them at any depth; files of labels are left out, the four modalities of a BraTS case become one
        frame of four channels
    skip_bad : bool, leave out files that cannot be read and list them in ``skipped``
    steps : Preprocessing, to turn volumes to the orientation that it declares; give a bundle's for its pipeline

    Returns
    -------
    Frames, iterable of Frame with a length

    Raises
    ------
    ConfigurationError
        If nothing can be read, or (while iterating, without ``skip_bad``) a file is damaged.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.zeros((3, 32, 40), np.int16))
    >>> found = frames(path)
    >>> len(found), next(iter(found)).image.shape
    (3, (32, 40))
    """
    sources, skipped = find_sources(path, skip_bad=skip_bad, steps=steps)
    return Frames(tuple(sources), skip_bad, skipped)
