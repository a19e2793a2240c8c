"""Carry a mask from the network's grid back to the grid of the image it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.runtime.preprocessing import CropOrPad, Preprocessing, Spacing, spacing_pair

__all__ = ["classes_on_image_grid", "on_image_grid"]

_Axis = tuple[NDArray[np.float64], NDArray[np.bool_]]


def on_image_grid(
    preprocessing: Preprocessing,
    mask: NDArray[Any],
    size: tuple[int, int],
    *,
    spacing_mm: Spacing = None,
    covers: Sequence[int] = (),
    outside: int = 0,
) -> NDArray[Any]:
    """Return a mask on the image's grid: for every pixel of the image the nearest pixel of the network's grid.

    Parameters
    ----------
    preprocessing : Preprocessing that the image went through
    mask : (h, w) on the network's output grid
    size : (height, width) of the image
    spacing_mm : as given to the preprocessing
    covers : (rows, columns) in the middle of the network's input that the mask covers; all of it where empty
    outside : value of the pixels that the preprocessing cut away or the network does not cover

    Returns
    -------
    (height, width), dtype of the mask
    """
    (rows, row_inside), (columns, column_inside) = _places(preprocessing, mask.shape, size, spacing_mm, covers)
    row, column = (_nearest(place, extent) for place, extent in ((rows, mask.shape[0]), (columns, mask.shape[1])))
    values = mask[row[:, np.newaxis], column[np.newaxis, :]]
    inside = row_inside[:, np.newaxis] & column_inside[np.newaxis, :]
    return np.asarray(np.where(inside, values, mask.dtype.type(outside)))


def classes_on_image_grid(
    preprocessing: Preprocessing,
    probabilities: NDArray[np.float32],
    size: tuple[int, int],
    *,
    spacing_mm: Spacing = None,
    covers: Sequence[int] = (),
) -> NDArray[np.uint8]:
    """Return the most probable class on the image's grid, of probabilities that are interpolated linearly.

    Parameters
    ----------
    probabilities : (h, w, classes) float32 on the network's output grid
    preprocessing, size, spacing_mm, covers : as of :func:`on_image_grid`

    Returns
    -------
    (height, width) uint8; 0 where the preprocessing cut the image, and where the network tells nothing
    """
    (rows, row_inside), (columns, column_inside) = _places(preprocessing, probabilities.shape, size, spacing_mm, covers)
    values = _between(_between(probabilities, rows, 0), columns, 1)
    inside = row_inside[:, np.newaxis] & column_inside[np.newaxis, :]
    return np.where(inside, values.argmax(-1), 0).astype(np.uint8)


def _between(values: NDArray[np.float32], place: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    """Interpolate along one axis; beyond the middle of the last pixel its value stays."""
    place = np.clip(place, 0, values.shape[axis] - 1)
    low = np.minimum(np.floor(place).astype(np.int64), max(values.shape[axis] - 2, 0))
    high = np.minimum(low + 1, values.shape[axis] - 1)
    share = (place - low).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(values.ndim)])
    return np.asarray(np.take(values, low, axis) * (1 - share) + np.take(values, high, axis) * share)


def _places(
    preprocessing: Preprocessing,
    shape: tuple[int, ...],
    size: tuple[int, int],
    spacing_mm: Spacing,
    covers: Sequence[int],
) -> tuple[_Axis, _Axis]:
    """Return for the rows and the columns of the image where each ends, and whether it is inside."""
    sizes, crops = [size], []
    spacing = spacing_pair(spacing_mm)
    for step in preprocessing.steps:
        after, spacing = step.output_size(sizes[-1], spacing)
        crops.append(isinstance(step, CropOrPad))
        sizes.append(after)
    if covers:
        sizes.append((covers[0], covers[1]))
        crops.append(True)
    # An output coarser than the input (a stride that is never undone) is one more resize.
    sizes.append((shape[0], shape[1]))
    crops.append(False)
    return _axis([pair[0] for pair in sizes], crops), _axis([pair[1] for pair in sizes], crops)


def _axis(sizes: list[int], crops: list[bool]) -> _Axis:
    """Follow every pixel of the first size through the steps: where it ends, and whether it is still inside."""
    place = np.arange(sizes[0], dtype=np.float64)
    inside = np.ones(sizes[0], np.bool_)
    for old, new, crop in zip(sizes[:-1], sizes[1:], crops, strict=True):
        if crop:
            place = place - max(0, (old - new) // 2) + max(0, (new - old) // 2)
        else:
            place = (place + 0.5) * (new / old) - 0.5
        inside &= (place > -0.5 - 1e-9) & (place < new - 0.5 + 1e-9)
    return place, inside


def _nearest(place: NDArray[np.float64], extent: int) -> NDArray[np.int64]:
    return np.clip(np.floor(place + 0.5).astype(np.int64), 0, extent - 1)
