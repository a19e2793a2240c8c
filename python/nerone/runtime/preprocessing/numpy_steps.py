"""The readable statement of every preprocessing step, in numpy; the C++ library gives the same numbers.

An image enters as float32 with NaN taken as 0, and every step takes its input limited to +-1e30, so that infinities
saturate. Each operation is one float32 operation in the order written here; statistics are float64.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nerone.compat import zip
from nerone.errors import ConfigurationError, DtypeError, ShapeError
from nerone.runtime.preprocessing import (
    Channels,
    Clip,
    CropOrPad,
    Grey,
    Percentile,
    Preprocessing,
    ScaleOffset,
    Spacing,
    Statistics,
    Step,
    Window,
    ZScore,
    spacing_pair,
)
from nerone.runtime.preprocessing.numpy_geometry import axis_resize, crop_or_pad

__all__ = ["DTYPES", "apply", "enter", "quantize", "trace", "volume_statistics"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Pairs = tuple[tuple[float, float], ...]

DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "float32")
LIMIT = np.float32(1e30)


def enter(image: Array | Sequence[Array]) -> Floats:
    """Give an image as float32 (H, W, C), NaN as 0 and values limited to +-1e30.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array, or a sequence of C arrays (H, W); dtypes as in `DTYPES`

    Raises
    ------
    ShapeError, DtypeError
        for an empty array, other axes, planes of different shapes, another dtype.
    """
    if not isinstance(image, np.ndarray):
        planes: list[Any] = list(image) if isinstance(image, (list, tuple)) else [image]
        if not isinstance(image, (list, tuple)) or not all(isinstance(plane, np.ndarray) for plane in planes):
            raise DtypeError(f"the image is a {type(image).__name__}; expected a numpy array, or a list of them")
        if not planes or any(plane.ndim != 2 or plane.shape != planes[0].shape for plane in planes):
            shapes = ", ".join(str(plane.shape) for plane in planes) or "none"
            raise ShapeError(f"the channels of the image have shapes {shapes}; expected (H, W), the same for each")
        for plane in planes:
            _check_dtype(plane)
            if plane.dtype != planes[0].dtype:
                raise DtypeError(
                    f"the channels of the image are {planes[0].dtype} and {plane.dtype}; expected one dtype for all"
                )
        image = np.stack([plane.astype(np.float32) for plane in planes], axis=-1)
    if image.ndim not in (2, 3) or image.size == 0:
        raise ShapeError(f"the image has shape {image.shape}; expected (H, W) or (H, W, C) with no empty axis")
    _check_dtype(image)
    values = (image if image.ndim == 3 else image[:, :, np.newaxis]).astype(np.float32)
    return _limit(np.where(np.isnan(values), np.float32(0), values))


def _limit(values: Floats) -> Floats:
    limited: Floats = np.minimum(np.maximum(values, -LIMIT), LIMIT)
    return limited


def _check_dtype(image: Array) -> None:
    if image.dtype.name not in DTYPES:
        raise DtypeError(f"the image is {image.dtype}; expected {', '.join(DTYPES)}: convert with .astype(np.float32)")


def apply(
    preprocessing: Preprocessing,
    image: Array | Sequence[Array],
    *,
    spacing_mm: Spacing = None,
    statistics: Statistics | None = None,
) -> Floats:
    """Apply every step to one image.

    Parameters
    ----------
    preprocessing : Preprocessing
    image : (H, W) or (H, W, C) array, or a sequence of C arrays (H, W); uint8, int8, uint16, int16, int32 or float32
    spacing_mm : float or (row, column), for `Resample`; an image without it is not resampled
    statistics : of the image's volume, for steps of scope "volume"; without them the image counts as its volume

    Returns
    -------
    (H, W, C) float32

    Raises
    ------
    ShapeError, DtypeError, ConfigurationError

    Examples
    --------
    >>> from nerone.runtime.preprocessing import Window
    >>> apply(Preprocessing((Window(-500, 1000),)), np.array([[-500, 250, 4000]], np.int16)).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """
    last = collections.deque(trace(preprocessing, image, spacing_mm=spacing_mm, statistics=statistics), maxlen=1)
    return last[0][1] if last else enter(image)


def trace(
    preprocessing: Preprocessing,
    image: Array | Sequence[Array],
    *,
    spacing_mm: Spacing = None,
    statistics: Statistics | None = None,
) -> Iterator[tuple[Step, Floats]]:
    """Apply the steps as :func:`apply` does, and yield each with what it makes of the image, (H, W, C) float32."""
    values = enter(image)
    preprocessing.output_shape(*values.shape, spacing_mm=spacing_mm)
    spacing = spacing_pair(spacing_mm)
    given = _given(preprocessing, statistics)
    for step in preprocessing.steps:
        pairs = given.pop(0) if step.needs_volume and given else None
        size, spacing_behind = step.output_size((values.shape[0], values.shape[1]), spacing)
        values = _limit(values)
        values = _move(step, values, size) if step.moves_pixels else _map(step, values, pairs)
        spacing = spacing_behind
        yield step, values


def quantize(values: npt.ArrayLike, fix_point: int) -> npt.NDArray[np.int8]:
    """Give floor(x * 2**fix_point + 0.5) saturated to int8; NaN gives 0, infinities saturate.

    Parameters
    ----------
    values : any shape, taken as float32
    fix_point : int, -31 to 31

    Returns
    -------
    same shape, int8
    """
    if not -31 <= fix_point <= 31:
        raise ConfigurationError(f"fix_point is {fix_point}; expected -31 to 31")
    x = np.asarray(values, np.float32)
    x = _limit(np.where(np.isnan(x), np.float32(0), x)) * np.float32(2.0**fix_point)
    rounded: npt.NDArray[np.int8] = np.clip(np.floor(x + np.float32(0.5)), -128, 127).astype(np.int8)
    return rounded


def volume_statistics(preprocessing: Preprocessing, slices: Iterable[Array | Sequence[Array]]) -> Statistics:
    """Compute what the steps of scope "volume" need to know, from all slices of one volume.

    Parameters
    ----------
    slices : iterable of images as `apply` takes them, all with the same channels

    Returns
    -------
    Statistics, empty where no step has that scope
    """
    if not preprocessing.volume_steps:
        return Statistics(())
    images = [enter(image) for image in slices]
    if not images or len({image.shape[2] for image in images}) != 1:
        raise ShapeError(
            "the volume has no slices, or slices with different channels; expected one or more with the same"
        )
    found: list[Pairs] = []
    for step in preprocessing.steps:
        pairs = None
        images = [_limit(image) for image in images]
        if step.needs_volume:
            pairs = _pairs(step, np.concatenate([image.reshape(-1, 1, image.shape[2]) for image in images]))
            found.append(pairs)
        if len(found) == len(preprocessing.volume_steps):
            break
        images = [_map(step, image, pairs) for image in images]
    return Statistics(tuple(found))


def _given(preprocessing: Preprocessing, statistics: Statistics | None) -> list[Pairs]:
    if statistics is None:
        return []
    needed = len(preprocessing.volume_steps)
    if len(statistics.values) != needed:
        raise ConfigurationError(
            f"statistics are of {len(statistics.values)} steps; the preprocessing has {needed} "
            "of scope 'volume': compute them with volume_statistics of the same preprocessing"
        )
    return list(statistics.values)


def _move(step: Step, values: Floats, size: tuple[int, int]) -> Floats:
    if isinstance(step, CropOrPad):
        return crop_or_pad(values, size, step.value)
    shape = (values.shape[0], values.shape[1])
    if size == shape:
        return values
    # OpenCV gives up averaging in both directions when one of them grows.
    growing = any(new > old for new, old in zip(size, shape, strict=True))
    method = "area_linear" if step.method == "area" and growing else step.method  # type: ignore[attr-defined]
    return axis_resize(axis_resize(values, 0, size[0], method), 1, size[1], method)


def _map(step: Step, values: Floats, pairs: Pairs | None) -> Floats:
    if isinstance(step, Channels):
        return values[:, :, list(step.order)] if step.order else values
    if isinstance(step, Grey):
        r, g, b = (np.float32(w) for w in step.weights)
        return np.asarray((values[:, :, 0:1] * r + values[:, :, 1:2] * g) + values[:, :, 2:3] * b)
    if isinstance(step, Clip):
        return np.clip(
            values,
            -LIMIT if step.low is None else np.float32(step.low),
            LIMIT if step.high is None else np.float32(step.high),
        )
    if isinstance(step, ScaleOffset):
        return values * np.array(step.scale, np.float32) + np.array(step.offset, np.float32)
    if isinstance(step, Window):
        return _window(values, ((step.low, step.high),) * values.shape[2], step.to)
    pairs = pairs if pairs is not None else _pairs(step, values)
    if len(pairs) != values.shape[2]:
        raise ConfigurationError(
            f"statistics are of {len(pairs)} channels; the image has {values.shape[2]} at the step {step.kind}"
        )
    if isinstance(step, Percentile):
        return _window(values, pairs, step.to)
    assert isinstance(step, ZScore)
    scale = np.array([1.0 / s if s > 1e-30 else 0.0 for _, s in pairs], np.float32)
    offset = np.array([-m / s if s > 1e-30 else 0.0 for m, s in pairs], np.float32)
    result = values * scale + offset
    return np.where(values == 0, np.float32(0), result) if step.nonzero else result


def _window(values: Floats, ranges: Pairs, to: tuple[float, float]) -> Floats:
    low = np.array([a for a, _ in ranges], np.float32)
    high = np.array([b for _, b in ranges], np.float32)
    slopes = [min((to[1] - to[0]) / (b - a), 1e30) if b > a else 0.0 for a, b in ranges]
    scale = np.array(slopes, np.float32)
    offset = np.array([to[0] - a * slope for (a, _), slope in zip(ranges, slopes, strict=True)], np.float32)
    return np.minimum(np.maximum(values, low), high) * scale + offset


def _pairs(step: Step, values: Floats) -> Pairs:
    channels = [np.ravel(values[:, :, c]) for c in range(values.shape[2])]
    if isinstance(step, Percentile):
        return tuple(_percentiles(step, x[x != 0] if step.nonzero else x) for x in channels)
    assert isinstance(step, ZScore)
    return tuple(_mean_deviation(x, int(np.count_nonzero(x)) if step.nonzero else x.size) for x in channels)


def _percentiles(step: Percentile, x: Floats) -> tuple[float, float]:
    if x.size == 0:
        return 0.0, 0.0
    ordered = np.sort(x)

    def at(percent: float) -> float:
        position = percent / 100.0 * (x.size - 1)
        below = int(position)
        low, high = float(ordered[below]), float(ordered[min(below + 1, x.size - 1)])
        return float(np.float32(low + (high - low) * (position - below)))

    return 0.0 if step.low is None else at(step.low), at(step.high)


def _mean_deviation(x: Floats, count: int) -> tuple[float, float]:
    if count == 0:
        return 0.0, 0.0
    # Sixteen running sums, so that vector code of any width adds in the same order.
    lanes = np.zeros((-(-x.size // 16), 16))
    lanes.ravel()[: x.size] = x
    total = squares = 0.0
    for lane, square in zip(np.add.reduce(lanes, axis=0), np.add.reduce(lanes * lanes, axis=0), strict=True):
        total, squares = total + float(lane), squares + float(square)
    mean = total / count
    return mean, float(np.sqrt(max(0.0, (squares - total * mean) / count)))
