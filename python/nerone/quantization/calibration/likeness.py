"""Count of the calibration images that really differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Likeness", "likeness"]

# Two images look alike where their thumbnails differ by less than this share of the contrast of the whole set.
TOLERANCE = 0.02
_GRID = 16
_MOST_IMAGES = 500
_MOST_BYTES = 1 << 29
_CHUNK = 32


@dataclass(frozen=True)
class Likeness:
    """Result of a comparison of images among themselves.

    Attributes
    ----------
    compared : int, images that were compared, spread evenly over the set
    distinct : int, images of them of which none before looks alike
    largest : float, largest difference between two of them as a share of the contrast (root mean square)
    """

    compared: int
    distinct: int
    largest: float


def likeness(arrays: Sequence[NDArray[Any]]) -> Likeness:
    """Compare the images of a set by their thumbnails of at most 16 x 16 pixels.

    Parameters
    ----------
    arrays : (N, ...) float arrays, one per input of the model
    """
    count = len(arrays[0])
    size = sum(int(np.prod(array.shape[1:])) for array in arrays) * 4
    wanted = max(2, min(count, _MOST_IMAGES, _MOST_BYTES // max(size, 1)))
    chosen = np.unique(np.linspace(0, count - 1, wanted).astype(int))
    features = np.concatenate([_scaled(_thumbnails(array, chosen)) for array in arrays], axis=1) / np.sqrt(len(arrays))
    squares = np.square(features).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0.0))
    kept: list[int] = []
    for number, row in enumerate(distances):
        if not kept or row[kept].min() > TOLERANCE:
            kept.append(number)
    return Likeness(len(chosen), len(kept), float(distances.max()))


def _thumbnails(array: NDArray[Any], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(chosen), _CHUNK):
        images = np.asarray(array[chosen[start : start + _CHUNK]], np.float64)
        if images.ndim == 4:
            for axis in (1, 2):
                images = _block_means(images, axis)
        parts.append(images.reshape(len(images), -1))
    return np.concatenate(parts)


def _block_means(images: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    length = images.shape[axis]
    edges = np.unique(np.linspace(0, length, min(length, _GRID) + 1).astype(int))
    shape = [1] * images.ndim
    shape[axis] = len(edges) - 1
    return np.asarray(np.add.reduceat(images, edges[:-1], axis=axis) / np.diff(edges).reshape(shape))


def _scaled(thumbnails: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thumbnails whose Euclidean distance is the root mean square difference over the set's contrast."""
    contrast = float(thumbnails.std())
    if contrast == 0.0:
        return np.zeros_like(thumbnails)
    return np.asarray((thumbnails - thumbnails.mean()) / (contrast * np.sqrt(thumbnails.shape[1])))
