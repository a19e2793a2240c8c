"""Reading and writing of NIfTI files with errors that name the file."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError, ShapeError

__all__ = ["is_nifti", "open_nifti", "read_nifti", "write_mask"]


def is_nifti(path: Path) -> bool:
    """Tell by its name whether a file is NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def open_nifti(path: Path) -> Any:
    """Open a three-dimensional NIfTI file without reading its voxels.

    Raises
    ------
    ConfigurationError
        If the file is missing or is no NIfTI.
    ShapeError
        If it is not three-dimensional (a fourth axis of length 1 is allowed).
    """
    import nibabel

    try:
        image = nibabel.load(path)
    except FileNotFoundError:
        raise ConfigurationError(f"'{path}' does not exist") from None
    except Exception as error:
        raise ConfigurationError(
            f"'{path}' cannot be read as NIfTI ({error}); it may be damaged or half downloaded"
        ) from error
    shape = image.shape
    if len(shape) < 3 or any(n != 1 for n in shape[3:]) or min(shape) < 1:
        raise ShapeError(f"'{path}' has shape {tuple(shape)}; expected a volume of three axes")
    return image


def read_nifti(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Read a volume, scaled as its header says.

    Returns
    -------
    data : (X, Y, Z), the stored dtype where the header has no scaling, else float64
    affine : (4, 4) float64, voxel index to millimetres

    Raises
    ------
    ConfigurationError
        If the file is missing, damaged or cut short, or holds values that are not numbers.
    ShapeError
        If it is not three-dimensional.
    """
    image = open_nifti(path)
    try:
        data = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigurationError(f"'{path}' is damaged or half downloaded: its voxels end early ({error})") from error
    if data.dtype.kind not in "iuf":
        raise ConfigurationError(f"'{path}' holds {data.dtype} voxels; expected numbers, one per voxel")
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise ConfigurationError(f"'{path}' holds NaN or infinite voxels; clean the volume first")
    return data.reshape(data.shape[:3]), np.asarray(image.affine, np.float64)


def write_mask(path: Path, mask: NDArray[np.uint8], affine: NDArray[np.float64] | None) -> None:
    """Write class ids (X, Y, Z) uint8 with the affine of their volume."""
    import nibabel

    image = nibabel.Nifti1Image(np.ascontiguousarray(mask, np.uint8), np.eye(4) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
