"""The input of a pipeline: images, with the facts their preprocessing may need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from numpy.typing import NDArray

from nerone.runtime.preprocessing import Spacing, Statistics

__all__ = ["Frame", "Image", "Images"]

Array = NDArray[Any]
Image = Union[Array, Sequence[Array]]
Images = Union[Image, Sequence[Image], Mapping[str, Image]]


@dataclass(frozen=True)
class Frame:
    """An image with the facts its preprocessing may need beside the pixels.

    Attributes
    ----------
    image : (H, W) or (H, W, C) array, or C arrays (H, W); for a network of several inputs a dict of them by the inputs'
        names, or a tuple in the network's order
    spacing_mm : float or (row, column), for `Resample`
    statistics : of the image's volume, for steps of scope "volume"; a dict or tuple of them as for images
    """

    image: Images
    spacing_mm: Spacing = None
    statistics: Statistics | Sequence[Statistics | None] | Mapping[str, Statistics | None] | None = None
