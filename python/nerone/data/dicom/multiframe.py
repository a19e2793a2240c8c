"""Enhanced multi-frame files, through highdicom: geometry and frames of a whole volume in one file."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.dicom.header import Header
from nerone.data.dicom.series import DicomSeries
from nerone.data.frame import plain
from nerone.data.reading import named_errors
from nerone.errors import ConfigurationError

__all__ = ["multiframe_series", "read_frames"]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import highdicom

    logging.getLogger("highdicom").setLevel(logging.WARNING)
    with named_errors(path, "multi-frame DICOM"):
        yield highdicom.imread(path, lazy_frame_retrieval=True)


def multiframe_series(header: Header) -> DicomSeries:
    """Return the volume that a multi-frame file holds.

    Raises
    ------
    ConfigurationError
        If its frames are no single regular volume, naming the file.
    """
    path = header.path
    with _opened(path) as image:
        affine, (slices, rows, columns), _ = _geometry(image, path)
    spacing = tuple(float(mm) for mm in np.linalg.norm(affine[:3, :2], axis=0))
    files = (path,) * slices
    return DicomSeries(header.series, header.patient, files, affine, spacing, rows, columns, path, True)  # type: ignore[arg-type]


def _geometry(image: Any, path: Path) -> tuple[NDArray[np.float64], tuple[int, int, int], bool]:
    """Return affine, (slices, rows, columns), and whether highdicom counts the slices against their normal."""
    geometry = image.get_volume_geometry(allow_duplicate_positions=False)
    if geometry is None:
        raise ConfigurationError(
            f"the {image.number_of_frames} frames of '{path}' are no single volume of evenly spaced parallel slices; "
            "split it by stack, echo or time first"
        )
    slices, rows, columns = (int(extent) for extent in geometry.spatial_shape)
    affine = geometry.affine[:, [1, 2, 0, 3]]  # highdicom's axes are (slice, row, column)
    down = bool(np.cross(affine[:3, 1], affine[:3, 0]) @ affine[:3, 2] < 0)
    if down:
        affine = affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, slices - 1], [0, 0, 0, 1]])
    # Its millimetres are left-posterior-superior.
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine), (slices, rows, columns), down


def read_frames(series: DicomSeries) -> Iterator[NDArray[Any]]:
    """Yield the slices of a multi-frame file in the order of its volume, rescaled as it says, one in memory."""
    with _opened(series.path) as image:
        _, (slices, _, _), down = _geometry(image, series.path)
        for index in range(slices)[:: -1 if down else 1]:
            volume = image.get_volume(
                slice_start=index,
                slice_end=index + 1,
                as_indices=True,
                dtype=np.float64,
                apply_real_world_transform=False,
                apply_presentation_lut=False,
            )
            if not np.isfinite(volume.array).all():
                raise ConfigurationError(f"'{series.path}' holds NaN or infinite values; mend its rescale slopes")
            yield plain(np.asarray(volume.array[0]))
