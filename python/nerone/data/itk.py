"""NRRD and MetaImage volumes, through SimpleITK."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError, ShapeError

__all__ = ["ITK_ENDINGS", "is_itk", "itk_affine", "itk_grid", "read_itk"]


_MOST_HEADER_BYTES = 1 << 20

ITK_ENDINGS = (".nrrd", ".nhdr", ".mha", ".mhd")


def is_itk(path: Path) -> bool:
    """Return by its name whether a file is an NRRD or MetaImage volume."""
    return path.name.lower().endswith(ITK_ENDINGS)


def _check_data_file(path: Path) -> None:
    """Refuse a header whose voxels lie outside its folder, or in several files, of which ITK misses none."""
    with path.open("rb") as file:
        header = file.read(_MOST_HEADER_BYTES)
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        header = re.split(rb"\r?\n\r?\n", header, maxsplit=1)[0]
        names = re.findall(rb"(?im)^[ \t]*data ?file[ \t]*:=?(.*)$", header)
    else:
        names = re.findall(rb"(?im)^.*ElementDataFile[^=:\n]*[=:](.*)$", header)[:1] or [b""]
    for name in names:
        text = name.decode("utf-8", "replace").strip()
        if text.upper() == "LOCAL":
            continue
        place = PurePath(text)
        inside = not place.is_absolute() and ".." not in place.parts and "\0" not in text
        if not inside or not (path.parent / place).is_file():
            raise ConfigurationError(
                f"'{path}' has its voxels in '{text}', which is no file in its folder; store the volume in one file"
            )


def _opened(path: Path) -> Any:
    import SimpleITK

    if not path.is_file():
        raise ConfigurationError(f"'{path}' does not exist")
    _check_data_file(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ConfigurationError(
            f"'{path}' cannot be read as a volume; it may be damaged or half downloaded"
        ) from error
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise ShapeError(
            f"'{path}' has {reader.GetDimension()} axes and {reader.GetNumberOfComponents()} values in each voxel; "
            "expected a volume of three axes with one value each"
        )
    return reader


def itk_affine(image: Any) -> NDArray[np.float64]:
    """Return the affine of a SimpleITK image or reader: (i, j, k) to right-anterior-superior millimetres."""
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)  # ITK's millimetres are left-posterior-superior


def itk_grid(path: Path) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Read shape (I, J, K) and affine from the header.

    Raises
    ------
    ConfigurationError, ShapeError
        as :func:`read_itk`.
    """
    reader = _opened(path)
    i, j, k = (int(extent) for extent in reader.GetSize())
    return (i, j, k), itk_affine(reader)


def read_itk(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Read a volume (I, J, K) and its affine.

    Raises
    ------
    ConfigurationError
        If the file is missing, damaged or cut short, or its voxels lie outside its folder.
    ShapeError
        If it has other than three axes, or several values in a voxel.
    """
    import SimpleITK

    reader = _opened(path)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise ConfigurationError(f"'{path}' is damaged or half downloaded: its voxels cannot be read") from error
    return SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), itk_affine(image)
