"""Frames as the page receives them: one binary message of a header and its parts."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError

__all__ = ["encode_frame", "to_display", "upright", "window_of"]

MAX_SIDE = 640


def window_of(image: NDArray[Any]) -> tuple[float, float]:
    """Return the range of grey values to show ``image`` with, where nobody chose one: 1st to 99.5th percentile."""
    if image.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.percentile(image[::4, ::4], (1.0, 99.5))
    return float(low), float(max(high, low + 1e-6))


def upright(array: NDArray[Any], affine: NDArray[np.float64] | None) -> NDArray[Any]:
    """Turn a slice as radiologists look at it: head or front of the patient up, the patient's right on the left.

    Parameters
    ----------
    array : (H, W) or (H, W, C), a slice of a volume or its mask
    affine : (4, 4), (row, column, slice) to millimetres, right-anterior-superior; None leaves the picture as it is

    Returns
    -------
    a view of ``array``; oblique slices are turned to the nearest right angle
    """
    if affine is None:
        return array
    of_rows, of_columns = (int(np.abs(affine[:3, axis]).argmax()) for axis in (0, 1))
    if of_rows == of_columns:
        return array
    rising = [affine[of_rows, 0] > 0, affine[of_columns, 1] > 0]
    if of_rows < of_columns:  # superior is above anterior is above right
        array, rising = array.swapaxes(0, 1), rising[::-1]
    return array[:: -1 if rising[0] else 1, :: -1 if rising[1] else 1]


def _thin(array: NDArray[Any]) -> NDArray[Any]:
    step = -(-max(array.shape[:2]) // MAX_SIDE)
    return np.ascontiguousarray(array[::step, ::step])


def to_display(image: NDArray[Any], window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Return a picture of at most 640 pixels a side for the screen.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array of any real dtype; the first channel is shown where C is not 3
    window : (low, high) in the image's own units, or None to choose it from the image

    Returns
    -------
    (H', W') or (H', W', 3) uint8
    """
    shown = _thin(image)
    if shown.ndim == 3 and shown.shape[2] != 3:
        shown = shown[:, :, 0]
    if shown.dtype == np.uint8 and window is None:
        return np.asarray(shown, np.uint8)
    low, high = window if window is not None else window_of(shown)
    scaled = (shown.astype(np.float32) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(np.nan_to_num(scaled), 0, 255), np.uint8)


def encode_frame(
    header: Mapping[str, Any],
    image: NDArray[Any],
    masks: Mapping[str, NDArray[np.uint8]],
    window: tuple[float, float] | None,
    affine: NDArray[np.float64] | None = None,
) -> bytes:
    """Pack a frame for the page: uint32 header length, JSON header, JPEG picture, deflated masks.

    Parameters
    ----------
    header : what else to tell: index, sequence, probabilities
    image : (H, W) or (H, W, C) array
    masks : name to (H, W) uint8 class ids, on the image's grid
    window : (low, high) of the grey values, or None
    affine : of the volume that the image is a slice of; it is shown upright then
    """
    from PIL import Image

    picture = to_display(upright(image, affine), window)
    jpeg = io.BytesIO()
    Image.fromarray(picture).save(jpeg, "JPEG", quality=85)
    parts = [("image", "image/jpeg", jpeg.getvalue())]
    for name, mask in masks.items():
        if mask.shape[:2] != image.shape[:2]:
            raise ConfigurationError(
                f"mask '{name}' is {mask.shape}, the image {image.shape[:2]}; they must be on one grid"
            )
        parts.append((name, "deflate", zlib.compress(_thin(upright(mask, affine)).tobytes(), 1)))
    described = {
        **header,
        "height": picture.shape[0],
        "width": picture.shape[1],
        "parts": [{"name": name, "encoding": kind, "length": len(data)} for name, kind, data in parts],
    }
    text = json.dumps(described).encode()
    return b"".join([struct.pack("<I", len(text)), text, *(data for _, _, data in parts)])
