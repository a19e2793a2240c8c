"""Calibration images, whatever they come in, as batches that can be read again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError, DtypeError, ModelError, ShapeError
from nerone.graph import Graph
from nerone.quantization.calibration.likeness import TOLERANCE, likeness

__all__ = ["FEW_IMAGES", "CalibrationSet"]

# Below this number the report warns; the vendor's guide asks for 100 to 1000.
FEW_IMAGES = 50
_IN_MEMORY_BYTES = 1 << 30
# Difference that rounding alone leaves between thumbnails of equal images.
_EQUAL = 1e-6

Batch = list[NDArray[np.float32]]


class CalibrationSet:
    """Preprocessed images for calibration, one array per input of the model.

    Parameters
    ----------
    graph : Graph whose inputs the images are for
    data : (N, H, W, C) float array; or an iterable of images (H, W, C) or batches (n, H, W, C), such as a list,
        generator or tf.data.Dataset; for several inputs a tuple or mapping of arrays, or an iterable of tuples or
        mappings. Labels that follow the image in a tuple are left out.

    Raises
    ------
    ConfigurationError
        No images.
    DtypeError, ShapeError
        Images that are not float, or that do not fit the model's inputs.
    ModelError
        Images that hold NaN or infinity.
    """

    def __init__(self, graph: Graph, data: Any) -> None:
        self._graph = graph
        self.names = graph.inputs
        self._shapes = [graph[name].shape for name in graph.inputs]
        self._arrays = self._gather(data)
        if not len(self._arrays[0]):
            raise ConfigurationError("no calibration images; give at least one, better 100 to 1000")
        self._check_values()

    def __len__(self) -> int:
        return len(self._arrays[0])

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """One (N, ...) array per input of the model, in memory or mapped from a file."""
        return self._arrays

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield lists of (n, ...) float32 arrays in the order of the model's inputs, n <= size."""
        for start in range(0, len(self), size):
            yield [np.ascontiguousarray(array[start : start + size], np.float32) for array in self._arrays]

    def first(self, count: int) -> Batch:
        """Return ``count`` images spread evenly over the set."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int))
        return [np.ascontiguousarray(array[chosen], np.float32) for array in self._arrays]

    def warnings(self) -> list[str]:
        """Return a sentence for each property of the images that makes a poor calibration likely."""
        found = []
        count = len(self)
        if count < FEW_IMAGES:
            found.append(f"only {count} calibration images; 100 to 1000 give fix points that hold on other images")
        found += self._alike() if count > 1 else []
        for name, array in zip(self.names, self._arrays, strict=True):
            span = float(np.abs(array[:: max(1, count // 16)]).max())
            if span == 0.0:
                found.append(f"the calibration images of input '{name}' are all zero; check the preprocessing")
        return found

    def _alike(self) -> list[str]:
        seen = likeness(self._arrays)
        if seen.largest < _EQUAL:
            return [f"all {seen.compared} calibration images are equal; check how they are read"]
        if seen.distinct == 1:
            return [
                f"all {seen.compared} calibration images look alike: no two differ by more than {seen.largest:.1%} of "
                "their contrast; draw them from other scans"
            ]
        if seen.distinct <= seen.compared // 2:
            return [
                f"only {seen.distinct} of {seen.compared} calibration images look different: the others repeat one of "
                f"them to within {TOLERANCE:.0%} of their contrast; draw more varied ones"
            ]
        return []

    def _gather(self, data: Any) -> list[NDArray[Any]]:
        whole = self._whole_arrays(data)
        if whole is not None:
            arrays = [self._stacked(array, index) for index, array in enumerate(whole)]
        else:
            arrays = _Spool(self._shapes).collect(self._pieces(data))
        for name, array in zip(self.names, arrays, strict=True):
            if len(array) != len(arrays[0]):
                raise ShapeError(
                    f"inputs have {len(arrays[0])} and {len(array)} images ('{name}'); give each the same number"
                )
        return arrays

    def _whole_arrays(self, data: Any) -> list[Any] | None:
        """The arrays (N, ...) that ``data`` consists of; None where it is an iterable of pieces."""
        if isinstance(data, np.ndarray) or _is_tensor(data):
            return self._per_input([data])
        if isinstance(data, Mapping):
            return self._per_input(data)
        several = isinstance(data, tuple) and len(data) == len(self.names) > 1
        if several and all(np.ndim(item) == len(shape) + 1 for item, shape in zip(data, self._shapes, strict=True)):
            return list(data)
        if not isinstance(data, Iterable):
            raise ConfigurationError(
                f"calibration data of type {type(data).__name__} cannot be read; "
                "give a float32 array (N, H, W, C) or an iterable of images"
            )
        return None

    def _per_input(self, item: Any) -> list[Any]:
        if isinstance(item, Mapping):
            missing = [name for name in self.names if name not in item]
            if missing:
                raise ShapeError(
                    f"no calibration array for input '{missing[0]}'; the model's inputs are {list(self.names)}"
                )
            return [item[name] for name in self.names]
        if isinstance(item, (tuple, list)) and len(item) >= len(self.names):
            return list(item[: len(self.names)])
        raise ShapeError(
            f"one array for the {len(self.names)} inputs {list(self.names)}; give a tuple or mapping of arrays"
        )

    def _pieces(self, data: Iterable[Any]) -> Iterator[Batch]:
        for number, item in enumerate(data):
            parts = self._per_input(item if isinstance(item, (tuple, Mapping)) else [item])
            yield [self._batched(part, index, number) for index, part in enumerate(parts)]

    def _batched(self, part: Any, index: int, number: int) -> NDArray[Any]:
        array = _to_array(part)
        shape = self._shapes[index]
        if array.shape == shape:
            array = array[None]
        if array.shape[1:] != shape:
            raise ShapeError(
                f"calibration image {number} has shape {array.shape}; input '{self.names[index]}' takes {shape}, "
                "or batches of that"
            )
        return _floats(array)

    def _stacked(self, part: Any, index: int) -> NDArray[Any]:
        array = _to_array(part)
        if array.shape == self._shapes[index]:
            array = array[None]
        if array.shape[1:] != self._shapes[index]:
            raise ShapeError(
                f"calibration images have shape {array.shape}; input '{self.names[index]}' takes (N, "
                f"{', '.join(map(str, self._shapes[index]))}): preprocess them like the images at inference"
            )
        return _floats(array)

    def _check_values(self) -> None:
        for batch in self.batches(64):
            for name, array in zip(self.names, batch, strict=True):
                if not np.isfinite(array).all():
                    raise ModelError(
                        f"calibration images of input '{name}' hold NaN or infinity; check the preprocessing"
                    )


class _Spool:
    """Keeps the pieces of a one-way iterable: in memory while they are few, else in temporary files."""

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._shapes = shapes
        self._held: list[Batch] = []
        self._bytes = 0
        self._files: list[Any] = []
        self._count = 0

    def collect(self, pieces: Iterable[Batch]) -> list[NDArray[Any]]:
        for piece in pieces:
            self._count += len(piece[0])
            self._held.append([np.asarray(array, np.float32) for array in piece])
            self._bytes += sum(array.nbytes for array in self._held[-1])
            if self._bytes > _IN_MEMORY_BYTES:
                self._write()
        if not self._count:
            return [np.empty((0, *shape), np.float32) for shape in self._shapes]
        if not self._files:
            return [np.concatenate(column) for column in zip(*self._held, strict=True)]
        self._write()
        return [
            np.memmap(file, np.float32, "r", shape=(self._count, *shape))
            for file, shape in zip(self._files, self._shapes, strict=True)
        ]

    def _write(self) -> None:
        if not self._files:
            # They stay open as long as the arrays that map them.
            self._files = [tempfile.TemporaryFile() for _ in self._shapes]  # noqa: SIM115
        for piece in self._held:
            for file, array in zip(self._files, piece, strict=True):
                file.write(np.ascontiguousarray(array).data)
        for file in self._files:
            file.flush()
        self._held, self._bytes = [], 0


def _is_tensor(data: Any) -> bool:
    return hasattr(data, "numpy") and hasattr(data, "shape") and hasattr(data, "dtype")


def _to_array(part: Any) -> NDArray[Any]:
    return np.asarray(part.numpy() if _is_tensor(part) else part)


def _floats(array: NDArray[Any]) -> NDArray[Any]:
    if not np.issubdtype(array.dtype, np.floating):
        raise DtypeError(
            f"calibration images are {array.dtype}; give float32, preprocessed exactly like the images at inference"
        )
    return array
