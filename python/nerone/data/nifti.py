"""Reading and writing of NIfTI files with errors that name the file."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.reading import named_errors
from nerone.errors import ConfigurationError, ShapeError

__all__ = ["MAX_CHANNELS", "MaskStream", "is_nifti", "nifti_slices", "open_nifti", "read_nifti", "write_mask"]


# The Medical Segmentation Decathlon's brain scans have four; more are a series in time.
MAX_CHANNELS = 8
# Behind the voxels of a file.
_MOST_REST_BYTES = 1 << 20


def is_nifti(path: Path) -> bool:
    """Return by its name whether a file is NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def open_nifti(path: Path) -> Any:
    """Open a NIfTI file of three axes, or of four with channels last, without reading its voxels.

    Raises
    ------
    ConfigurationError
        If the file is missing or is no NIfTI.
    ShapeError
        If it has other axes, or more than :data:`MAX_CHANNELS` channels.
    """
    import nibabel

    with named_errors(path, "NIfTI"):
        image = nibabel.load(path)
    shape = image.shape
    if len(shape) < 3 or any(n != 1 for n in shape[4:]) or min(shape) < 1:
        raise ShapeError(
            f"'{path}' has shape {tuple(shape)}; expected a volume of three axes, or four with channels last"
        )
    if len(shape) > 3 and shape[3] > MAX_CHANNELS:
        raise ShapeError(
            f"'{path}' has shape {tuple(shape)}: a series of {shape[3]} volumes; expected one volume of at most "
            f"{MAX_CHANNELS} channels, split it first"
        )
    return image


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Give a file of :func:`open_nifti` to read; a gzipped one is read to its end, where its check sum stands."""
    image = open_nifti(path)
    gzipped = path.suffix.lower() == ".gz"
    with named_errors(path, "NIfTI"), path.open("rb") as file, contextlib.ExitStack() as stack:
        stream: Any = stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb")) if gzipped else file
        yield type(image).from_stream(stream)
        for _ in range(_MOST_REST_BYTES >> 16):
            if not stream.read(1 << 16):
                break


def nifti_slices(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the slices (X, Y) or (X, Y, C) of a volume along its third axis, one in memory.

    Raises
    ------
    ConfigurationError, ShapeError
        as :func:`read_nifti`.
    """
    with _opened(path) as image:
        for index in range(int(image.shape[2])):
            data = np.asanyarray(image.dataobj[:, :, index])
            _check_numbers(data, path)
            channels = data.shape[2:3] if data.ndim > 2 and data.shape[2] > 1 else ()
            yield data.reshape(*data.shape[:2], *channels)


def _check_numbers(data: NDArray[Any], path: Path) -> None:
    if data.dtype.kind not in "iuf":
        raise ConfigurationError(f"'{path}' holds {data.dtype} voxels; expected numbers, one per voxel")


def read_nifti(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Read a volume, scaled as its header says.

    Returns
    -------
    data : (X, Y, Z), or (X, Y, Z, C) of several channels, NaN as stored; the stored dtype where the header has no
        scaling, else float64
    affine : (4, 4) float64, voxel index to millimetres

    Raises
    ------
    ConfigurationError
        If the file is missing, damaged or cut short, its check sum included, or holds no numbers.
    ShapeError
        As :func:`open_nifti`.
    """
    with _opened(path) as image:
        data = np.asanyarray(image.dataobj)
    _check_numbers(data, path)
    channels = data.shape[3:4] if data.ndim > 3 and data.shape[3] > 1 else ()
    return data.reshape(*data.shape[:3], *channels), np.asarray(image.affine, np.float64)


class MaskStream:
    """A gzipped NIfTI mask that is written slice by slice.

    Parameters
    ----------
    path : file to write
    shape : (X, Y, Z)
    affine : (4, 4) float64
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], affine: NDArray[np.float64]) -> None:
        import nibabel

        header = nibabel.Nifti1Image(np.broadcast_to(np.uint8(0), shape), affine).header
        header.set_xyzt_units("mm")
        header["vox_offset"] = 352
        header["magic"] = b"n+1"
        header["scl_slope"], header["scl_inter"] = np.nan, np.nan
        self._shape, self._count = shape, 0
        self._raw = path.open("wb")
        # Neither name nor time in it: the same mask is the same bytes.
        self._file = gzip.GzipFile("", "wb", compresslevel=1, fileobj=self._raw, mtime=0)
        self._file.write(header.binaryblock + bytes(4))

    def add(self, mask: NDArray[np.uint8]) -> None:
        """Write the next slice (X, Y) uint8."""
        if mask.shape != self._shape[:2]:
            raise ShapeError(f"slice {self._count} of the mask has shape {mask.shape}, expected {self._shape[:2]}")
        self._file.write(np.asarray(mask, np.uint8).tobytes(order="F"))
        self._count += 1

    def __enter__(self) -> MaskStream:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._file.close()
        finally:
            self._raw.close()
        if kind is None and self._count != self._shape[2]:
            raise ShapeError(f"the mask has {self._count} slices, its scan {self._shape[2]}")


def write_mask(path: Path, mask: NDArray[np.uint8], affine: NDArray[np.float64] | None) -> None:
    """Write class ids (X, Y, Z) uint8 with the affine of their volume."""
    import nibabel

    image = nibabel.Nifti1Image(np.ascontiguousarray(mask, np.uint8), np.eye(4) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
