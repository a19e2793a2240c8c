"""Calibration images for the quantizer: chosen over the whole data, with the preprocessing of the bundle applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.prepared import source_statistics
from nerone.data.sources import Source, find_sources
from nerone.data.value_range import StoredValues
from nerone.errors import ConfigurationError, Error, ShapeError
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.preprocessing.numpy_steps import apply

__all__ = ["DEFAULT_IMAGES", "calibration_images", "spread", "wanted_images"]

DEFAULT_IMAGES = 200

Progress = Callable[[str, int, int], None]


def calibration_images(
    source: Any,
    preprocessing: Preprocessing,
    *,
    images: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    values: StoredValues | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Read, choose and preprocess calibration images, one after the other.

    Parameters
    ----------
    source : a file or folder as `nerone.data.frames` reads them, or an iterable of (H, W) or (H, W, C) arrays
    preprocessing : Preprocessing of the bundle, so that calibration and inference see the same values
    images : int, optional, how many at most; they are spread evenly over all frames. 200 where not given
    seed : int, shifts which ones are taken
    values : StoredValues, which takes in what was stored

    Yields
    ------
    (H, W, C) float32

    Raises
    ------
    ConfigurationError
        where there is nothing to read, naming the folder or file.
    ShapeError, DtypeError
        where an image does not fit the preprocessing.
    """
    wanted = wanted_images(images)
    if isinstance(source, (str, Path)):
        found, _ = find_sources(source, steps=preprocessing)
        return _from_sources(found, preprocessing, wanted, seed, progress, values)
    return _from_arrays(source, preprocessing, wanted, seed, progress, values)


def wanted_images(images: int | None) -> int:
    """Return how many images calibrate at most: as given, or the default.

    Raises ConfigurationError where it is no number of images.
    """
    wanted = DEFAULT_IMAGES if images is None else images
    if wanted < 1:
        raise ConfigurationError(f"{wanted} calibration images were asked for; 100 to 1000 are usual, at least 1")
    return wanted


def spread(count: int, wanted: int, seed: int) -> NDArray[np.int64]:
    """Return ``wanted`` indices below ``count``, evenly spread, sorted."""
    if wanted >= count:
        return np.arange(count)
    offset = np.random.default_rng(seed).random()
    return np.unique(np.floor((np.arange(wanted) + offset) * (count / wanted)).astype(np.int64))


def _from_sources(
    sources: Sequence[Source],
    preprocessing: Preprocessing,
    wanted: int,
    seed: int,
    progress: Progress | None,
    values: StoredValues | None,
) -> Iterator[NDArray[np.float32]]:
    total = sum(source.count for source in sources)
    picked = spread(total, wanted, seed)
    done, start = 0, 0
    for source in sources:
        own = set((picked[(picked >= start) & (picked < start + source.count)] - start).tolist())
        start += source.count
        if not own:
            continue
        statistics = source_statistics(source, preprocessing)
        for index, frame in enumerate(source.read()):
            if index in own:
                if values is not None:
                    values.add(frame.image)
                try:
                    yield apply(preprocessing, frame.image, spacing_mm=frame.spacing_mm, statistics=statistics)
                except Error as error:
                    raise type(error)(f"'{source.path}', image {index}: {error}") from error
                done += 1
                if progress:
                    progress("calibration images", done, len(picked))


def _from_arrays(
    arrays: Iterable[Any],
    preprocessing: Preprocessing,
    wanted: int,
    seed: int,
    progress: Progress | None,
    values: StoredValues | None,
) -> Iterator[NDArray[np.float32]]:
    if not isinstance(arrays, Iterable):
        raise ConfigurationError(
            f"calibration is a {type(arrays).__name__}; give a folder, an array (N, H, W, C) or an iterable of images"
        )
    listed = arrays if isinstance(arrays, (np.ndarray, Sequence)) else list(arrays)
    if isinstance(listed, np.ndarray) and listed.ndim not in (3, 4):
        raise ShapeError(f"the calibration array has shape {listed.shape}; expected (N, H, W) or (N, H, W, C)")
    picked = spread(len(listed), wanted, seed)
    for done, index in enumerate(picked):
        image = np.asarray(listed[int(index)])
        if values is not None and image.ndim in (2, 3) and image.size and image.dtype.kind in "biuf":
            values.add(image)
        yield apply(preprocessing, image.astype(np.float32) if image.dtype == np.float64 else image)
        if progress:
            progress("calibration images", done + 1, len(picked))
