"""One volume, series, case or picture file as a source of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from nerone.data.brats import BratsCase, case_frames
from nerone.data.dicom import DicomSeries, read_pages, read_slices
from nerone.data.frame import Frame, plain
from nerone.data.grid import Grid, turned_frames
from nerone.data.itk import itk_grid, read_itk
from nerone.data.nifti import nifti_slices, open_nifti
from nerone.data.orientation import AS_STORED, TRANSPOSED, Turn, turn_for
from nerone.data.pictures import picture_count, pictures
from nerone.data.reading import with_named_errors
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["Source", "case_source", "itk_source", "nifti_source", "pages_source", "picture_source", "series_source"]


@dataclass(frozen=True)
class Source:
    """One volume, series, case or picture file: how many frames it has and how they are read, one after the other.

    Attributes
    ----------
    grid : Grid of the frames, None of pictures
    turn : from the frames as stored to these
    stored : Source as stored, None where this is it
    """

    path: Path
    count: int
    read: Callable[[], Iterator[Frame]]
    kind: Literal["nifti", "itk", "brats", "dicom", "picture"]
    detail: BratsCase | DicomSeries | None = None
    grid: Grid | None = None
    turn: Turn = AS_STORED
    stored: Source | None = None

    def __post_init__(self) -> None:
        read, kind = self.read, "a scan or picture" if self.kind == "picture" else "a volume"
        object.__setattr__(self, "read", lambda: with_named_errors(self.path, kind, read()))

    def turned(self, steps: Preprocessing | None) -> Source:
        """Return the source with its frames turned to what a network was trained on, as its preprocessing declares.

        Raises
        ------
        ConfigurationError
            If the file does not say how it lies in the body.
        """
        stored = self.stored or self
        grid = stored.grid
        if steps is None or grid is None:
            return stored
        turn = turn_for(steps, grid.affine, self.path, dicom=self.kind == "dicom")
        if turn == AS_STORED:
            return stored
        turned = grid.turned(turn)
        return replace(
            stored,
            count=turned.shape[2],
            read=lambda: turned_frames(stored.read(), turn, grid),
            grid=turned,
            turn=turn,
            stored=stored,
        )


def _nifti_frames(path: Path, grid: Grid) -> Iterator[Frame]:
    for index, values in enumerate(nifti_slices(path)):
        yield Frame(plain(values), path, index, grid.shape[2], grid.spacing_mm, grid.affine)


def _itk_frames(path: Path, grid: Grid) -> Iterator[Frame]:
    data, affine = read_itk(path)
    values = plain(data)
    for index in range(values.shape[2]):
        yield Frame(np.ascontiguousarray(values[:, :, index]), path, index, grid.shape[2], grid.spacing_mm, affine)


def itk_source(path: Path) -> Source:
    """Return an NRRD or MetaImage volume; ConfigurationError or ShapeError where it is none."""
    grid = Grid(*itk_grid(path))
    return Source(path, grid.shape[2], lambda: _itk_frames(path, grid), "itk", grid=grid)


def _series_frames(series: DicomSeries) -> Iterator[Frame]:
    for index, pixels in enumerate(read_slices(series)):
        place = (series.path, index, len(series.files), series.spacing_mm, series.affine)
        yield Frame(pixels, *place, TRANSPOSED)


def _picture_frames(path: Path, count: int) -> Iterator[Frame]:
    for index, image in enumerate(pictures(path)):
        yield Frame(image, path, index if count > 1 else None, count)


def _nifti_grid(path: Path) -> Grid:
    image = open_nifti(path)
    rows, columns, slices = (int(extent) for extent in image.shape[:3])
    return Grid((rows, columns, slices), np.asarray(image.affine, np.float64))


def nifti_source(path: Path) -> Source:
    """Return a NIfTI volume; ConfigurationError or ShapeError where it is none."""
    grid = _nifti_grid(path)
    count = grid.shape[2]
    return Source(path, count, lambda: _nifti_frames(path, grid), "nifti", grid=grid)


def pages_source(path: Path, count: int) -> Source:
    """Return the pages of a DICOM image that lies nowhere in space."""

    def read() -> Iterator[Frame]:
        for index, page in enumerate(read_pages(path)):
            yield Frame(page, path, index if count > 1 else None, count)

    return Source(path, count, read, "picture")


def picture_source(path: Path) -> Source:
    """Return the pages of a picture or an array."""
    count = picture_count(path)
    return Source(path, count, lambda: _picture_frames(path, count), "picture")


def series_source(series: DicomSeries) -> Source:
    """Return a DICOM series."""
    grid = Grid((series.rows, series.columns, len(series.files)), series.affine)
    return Source(series.path, grid.shape[2], lambda: _series_frames(series), "dicom", series, grid)


def case_source(case: BratsCase) -> Source:
    """Return the four modalities of a BraTS case as one."""
    grid = _nifti_grid(case.modalities[0])
    return Source(case.folder, grid.shape[2], lambda: case_frames(case), "brats", case, grid)
