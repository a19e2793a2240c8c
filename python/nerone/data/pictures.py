"""PNG, JPEG, TIFF, BMP and npy files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import plain
from nerone.data.reading import named_errors, with_named_errors
from nerone.errors import ConfigurationError, ShapeError

__all__ = ["PICTURE_ENDINGS", "is_picture", "picture_count", "pictures", "read_picture", "write_png"]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".npy")


def is_picture(path: Path) -> bool:
    """Return by its name whether a file is a picture or a NumPy array."""
    return path.suffix.lower() in PICTURE_ENDINGS


def _from_pillow(image: Any) -> NDArray[Any]:
    if image.mode in ("P", "PA", "CMYK", "YCbCr", "RGBA", "RGBX", "LAB", "HSV"):
        image = image.convert("RGB")
    elif image.mode in ("1", "LA"):
        image = image.convert("L")
    return plain(np.asarray(image))


def _array_frames(data: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return (N, H, W) or (N, H, W, C): two axes are one picture, a last axis of up to 4 is channels."""
    if data.dtype.kind not in "biuf":
        raise ConfigurationError(f"'{path}' holds {data.dtype}; expected numbers")
    if data.ndim == 2 or (data.ndim == 3 and data.shape[2] <= 4):
        return data[None]
    if data.ndim in (3, 4):
        return data
    raise ShapeError(
        f"'{path}' holds an array of shape {data.shape}; expected (H, W), (H, W, C), (N, H, W) or (N, H, W, C)"
    )


def _open_array(path: Path) -> NDArray[Any]:
    with named_errors(path, "a NumPy array"):
        data: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return _array_frames(data, path)


def picture_count(path: Path) -> int:
    """Return the number of pictures in a file: pages of a TIFF, first axis of an array, else 1."""
    if path.suffix.lower() == ".npy":
        return len(_open_array(path))
    if path.suffix.lower() in (".tif", ".tiff"):
        from PIL import Image

        with named_errors(path, "a picture"), Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    return 1


def pictures(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the pictures of a file as (H, W) or (H, W, 3) arrays of uint8, uint16, int16 or float32.

    Alpha is dropped; a picture whose tags (EXIF) say that it is to be turned is turned.

    Raises
    ------
    ConfigurationError
        If the file is missing, damaged or cut short.
    """
    if path.suffix.lower() == ".npy":
        yield from (plain(np.asarray(image)) for image in _open_array(path))
        return
    yield from with_named_errors(path, "a picture", _pages(path))


def _pages(path: Path) -> Iterator[NDArray[Any]]:
    from PIL import Image, ImageOps, ImageSequence

    with Image.open(path) as image:
        for page in ImageSequence.Iterator(image):
            page.load()
            yield _from_pillow(ImageOps.exif_transpose(page))
            if path.suffix.lower() not in (".tif", ".tiff"):
                return


def read_picture(path: Path | str) -> NDArray[Any]:
    """Read the first picture of a file."""
    return next(pictures(Path(path)))


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an (H, W) or (H, W, 3) uint8 picture."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image, np.uint8)).save(path)
