"""Resizing, cropping and the way back to the original grid, in numpy.

The taps are those of OpenCV's resize for float32 images (imgproc, resize.cpp), so that a model trained with OpenCV sees
the same pixels.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nerone.compat import zip
from nerone.errors import ShapeError
from nerone.runtime.preprocessing import CropOrPad, Preprocessing, Spacing, spacing_pair

__all__ = ["axis_resize", "axis_taps", "crop_or_pad", "restore_mask"]

Taps = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


@functools.lru_cache(maxsize=256)
def axis_taps(old: int, new: int, method: str) -> Taps:
    """Give which old pixels make each new one, along one axis.

    Parameters
    ----------
    old, new : int, extents
    method : "nearest", "bilinear", "cubic", "area" (new <= old), or "area_linear" (area, where an axis grows)

    Returns
    -------
    first : (new,) int64, the first old pixel of each
    weight : (new, K) float32, of that pixel and its followers
    """
    scale = 1.0 / (new / old)
    if method == "area":
        return _banded([_area_taps(old, place, scale) for place in range(new)], old)
    place = np.arange(new)
    if method == "nearest":
        index = np.minimum(np.floor(place * scale).astype(np.int64), old - 1)[:, np.newaxis]
        weight = np.ones((new, 1), np.float32)
    elif method == "cubic":
        position = ((place + 0.5) * scale - 0.5).astype(np.float32)
        below = np.floor(position)
        index = np.clip(below.astype(np.int64)[:, np.newaxis] + np.arange(-1, 3), 0, old - 1)
        weight = _cubic_weights(position - below)
    else:
        index, weight = _linear_taps(old, new, method)
    rows = [list(zip(i, w, strict=True)) for i, w in zip(index.tolist(), weight, strict=True)]
    return _banded(rows, old)


def _linear_taps(old: int, new: int, method: str) -> Taps:
    scale = 1.0 / (new / old)
    place = np.arange(new)
    if method == "area_linear":
        first = np.floor(place * scale).astype(np.int64)
        part = ((place + 1) - (first + 1) * (new / old)).astype(np.float32)
        part = np.where(part <= 0, np.float32(0), part - np.floor(part))
    else:
        position = ((place + 0.5) * scale - 0.5).astype(np.float32)
        first = np.floor(position).astype(np.int64)
        part = position - first.astype(np.float32)
    part = np.where((first < 0) | (first >= old - 1), np.float32(0), part)
    first = np.clip(first, 0, old - 1)
    index = np.stack([first, np.minimum(first + 1, old - 1)], axis=1)
    return index, np.stack([np.float32(1) - part, part], axis=1)


def _banded(rows: list[list[tuple[int, np.float32]]], old: int) -> Taps:
    """Add taps on the same pixel (the border's) in float32, drop weights of 0, and line the rest up."""
    sums: list[dict[int, np.float32]] = []
    for row in rows:
        merged: dict[int, np.float32] = {}
        for index, weight in row:
            merged[index] = merged[index] + weight if index in merged else weight
        sums.append({index: weight for index, weight in merged.items() if weight != 0})
    count = max(max(taps) - min(taps) + 1 for taps in sums)
    first = np.array([min(min(taps), max(0, old - count)) for taps in sums], np.int64)
    band = np.zeros((len(rows), count), np.float32)
    for place, taps in enumerate(sums):
        for index, weight in taps.items():
            band[place, index - first[place]] = weight
    return first, band


def _cubic_weights(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    a = np.float32(-0.75)
    one = np.float32(1)

    def far(t: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(((a * t - 5 * a) * t + 8 * a) * t - 4 * a)

    def near(t: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(((a + 2) * t - (a + 3)) * t * t + one)

    before, here, after = far(x + one), near(x), near(one - x)
    return np.stack([before, here, after, one - before - here - after], axis=1).astype(np.float32)


def _area_taps(old: int, place: int, scale: float) -> list[tuple[int, np.float32]]:
    start = place * scale
    end = start + scale
    width = min(scale, old - start)
    last = min(math.floor(end), old - 1)
    first = min(math.ceil(start), last)
    taps = [(first - 1, (first - start) / width)] if first - start > 1e-3 else []
    taps += [(pixel, 1.0 / width) for pixel in range(first, last)]
    if end - last > 1e-3:
        taps.append((last, min(min(end - last, 1.0), width) / width))
    return [(index, np.float32(weight)) for index, weight in taps]


def axis_resize(values: npt.NDArray[np.float32], axis: int, new: int, method: str) -> npt.NDArray[np.float32]:
    """Resize (H, W, C) float32 along one axis; the taps are added first to last in float32."""
    old = values.shape[axis]
    first, weight = axis_taps(old, new, method)
    shape = [1, 1, 1]
    shape[axis] = new
    total: npt.NDArray[np.float32] = np.take(values, first, axis) * weight[:, 0].reshape(shape)
    for tap in range(1, weight.shape[1]):
        index = np.minimum(first + tap, old - 1)
        total = total + np.take(values, index, axis) * weight[:, tap].reshape(shape)
    return total


def crop_or_pad(values: npt.NDArray[Any], size: tuple[int, int], value: float) -> npt.NDArray[Any]:
    """Keep the middle (H, W), padding with a value; an odd difference leaves the extra pixel at the end."""
    result = np.full((*size, *values.shape[2:]), value, values.dtype)
    source, target = zip(*(_overlap(old, new) for old, new in zip(values.shape[:2], size, strict=True)), strict=True)
    result[target] = values[source]
    return result


def _overlap(old: int, new: int) -> tuple[slice, slice]:
    common = min(old, new)
    first_old, first_new = max(0, (old - new) // 2), max(0, (new - old) // 2)
    return slice(first_old, first_old + common), slice(first_new, first_new + common)


def restore_mask(
    preprocessing: Preprocessing,
    mask: npt.NDArray[Any],
    height: int,
    width: int,
    *,
    spacing_mm: Spacing = None,
    outside: int = 0,
) -> npt.NDArray[Any]:
    """Bring a mask of the network back to the grid of the image it came from.

    Each pixel of the image takes the mask's value nearest to its own centre; pixels that were cropped away get
    `outside`. A mask of another size than the preprocessing's result (a network with a smaller output) counts as
    covering the same area.

    Parameters
    ----------
    mask : (h, w) of any dtype
    height, width : of the original image
    spacing_mm : as given to the preprocessing

    Returns
    -------
    (height, width), the mask's dtype
    """
    if mask.ndim != 2 or mask.size == 0:
        raise ShapeError(f"the mask has shape {mask.shape}; expected (H, W) with no empty axis")
    size: tuple[int, int] = (height, width)
    spacing = spacing_pair(spacing_mm)
    centres = [np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)]
    for step in preprocessing.steps:
        new, spacing = step.output_size(size, spacing)
        for axis in (0, 1):
            if isinstance(step, CropOrPad):
                source, target = _overlap(size[axis], new[axis])
                centres[axis] += target.start - source.start
            else:
                centres[axis] = (centres[axis] + 0.5) * (new[axis] / size[axis]) - 0.5
        size = new
    index, inside = [], []
    for axis in (0, 1):
        place = np.floor((centres[axis] + 0.5) * (mask.shape[axis] / size[axis])).astype(np.int64)
        inside.append((place >= 0) & (place < mask.shape[axis]))
        index.append(np.clip(place, 0, mask.shape[axis] - 1))
    restored = mask[index[0][:, np.newaxis], index[1][np.newaxis, :]]
    covered = inside[0][:, np.newaxis] & inside[1][np.newaxis, :]
    return np.asarray(np.where(covered, restored, mask.dtype.type(outside)))
