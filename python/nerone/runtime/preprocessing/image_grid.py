"""Carry a mask from the network's grid back to the grid of the image it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.runtime.preprocessing import CropOrPad, Preprocessing, Spacing, spacing_pair

__all__ = ["on_image_grid"]


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
    covers : (rows, columns) in the middle of the network's input that the mask tells of; all of it where empty
    outside : value of the pixels that the preprocessing cut away or the network does not tell of

    Returns
    -------
    (height, width), dtype of the mask
    """
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
    sizes.append((mask.shape[0], mask.shape[1]))
    crops.append(False)
    rows, row_inside = _axis([pair[0] for pair in sizes], crops)
    columns, column_inside = _axis([pair[1] for pair in sizes], crops)
    values = mask[rows[:, np.newaxis], columns[np.newaxis, :]]
    inside = row_inside[:, np.newaxis] & column_inside[np.newaxis, :]
    return np.asarray(np.where(inside, values, mask.dtype.type(outside)))


def _axis(sizes: list[int], crops: list[bool]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Follow every pixel of the first size through the steps: where it ends, and whether it is still inside."""
    place = np.arange(sizes[0], dtype=np.float64)
    inside = np.ones(sizes[0], np.bool_)
    for old, new, crop in zip(sizes[:-1], sizes[1:], crops, strict=True):
        if crop:
            place = place - max(0, (old - new) // 2) + max(0, (new - old) // 2)
        else:
            place = (place + 0.5) * (new / old) - 0.5
        inside &= (place > -0.5 - 1e-9) & (place < new - 0.5 + 1e-9)
    nearest = np.clip(np.floor(place + 0.5).astype(np.int64), 0, sizes[-1] - 1)
    return nearest, inside
