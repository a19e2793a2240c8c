"""Brings labels to the grid of the network's input: the nearest label, through every step that moves pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ShapeError
from nerone.runtime.preprocessing import CropOrPad, Preprocessing, Spacing, spacing_pair

__all__ = ["labels_on_grid"]


def _axis_source(sizes: list[int], crops: list[bool]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return, for each pixel of the last size, its position in the first, and whether it lies inside at every step."""
    place = np.arange(sizes[-1], dtype=np.float64)
    inside = np.ones(sizes[-1], np.bool_)
    for old, new, crop in reversed(list(zip(sizes[:-1], sizes[1:], crops, strict=True))):
        place = (
            place + (max(0, (old - new) // 2) - max(0, (new - old) // 2)) if crop else (place + 0.5) * (old / new) - 0.5
        )
        inside &= (place > -0.5 - 1e-9) & (place < old - 0.5 + 1e-9)
    return place, inside


def labels_on_grid(
    preprocessing: Preprocessing,
    labels: NDArray[Any],
    *,
    spacing_mm: Spacing = None,
    covers: Sequence[int] = (),
    outside: int = 0,
) -> NDArray[Any]:
    """Return the labels as the network's input grid, or the part of it that the output covers, sees them.

    Parameters
    ----------
    preprocessing : Preprocessing
    labels : (H, W) of any integer dtype, on the grid of the image
    spacing_mm : as given to the preprocessing
    covers : (rows, columns) in the middle of the network's input that its output covers; all of it where empty
    outside : label of the pixels that were padded

    Returns
    -------
    (h, w) of the same dtype

    Raises
    ------
    ShapeError
        If the labels are not two-dimensional.
    """
    if labels.ndim != 2 or labels.size == 0:
        raise ShapeError(f"the labels have shape {labels.shape}; expected (H, W) with no empty axis")
    sizes: list[tuple[int, int]] = [(labels.shape[0], labels.shape[1])]
    crops: list[bool] = []
    spacing = spacing_pair(spacing_mm)
    for step in preprocessing.steps:
        size, spacing = step.output_size(sizes[-1], spacing)
        sizes.append(size)
        crops.append(isinstance(step, CropOrPad))
    if covers:
        sizes.append((covers[0], covers[1]))
        crops.append(True)
    rows, row_inside = _axis_source([size[0] for size in sizes], crops)
    columns, column_inside = _axis_source([size[1] for size in sizes], crops)
    row = np.clip(np.floor(rows + 0.5).astype(np.int64), 0, labels.shape[0] - 1)
    column = np.clip(np.floor(columns + 0.5).astype(np.int64), 0, labels.shape[1] - 1)
    covered = row_inside[:, np.newaxis] & column_inside[np.newaxis, :]
    return np.asarray(np.where(covered, labels[row[:, np.newaxis], column[np.newaxis, :]], labels.dtype.type(outside)))
