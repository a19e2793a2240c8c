"""The steps of a preprocessing that move pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing.field_checks import check_choice, check_integer, check_number
from nerone.runtime.preprocessing.step import Size, Step

__all__ = ["CropOrPad", "Resample", "Resize"]

Method = Literal["nearest", "bilinear", "cubic", "area"]

METHODS = ("nearest", "bilinear", "cubic", "area")
MAX_EXTENT = 16384


@dataclass(frozen=True)
class Resample(Step):
    """Resize to a pixel spacing: an extent becomes round(extent * spacing / spacing_mm) pixels.

    An image whose spacing is not known is taken as it is.

    Parameters
    ----------
    spacing_mm : float, millimetres from pixel to pixel behind the step, in both directions
    method : as of `Resize`
    """

    kind: ClassVar[str] = "resample"
    moves_pixels: ClassVar[bool] = True
    spacing_mm: float
    method: Method = "cubic"

    def __post_init__(self) -> None:
        check_number(self, "spacing_mm", 1e-3, 1e3)
        check_choice(self, "method", METHODS)

    def output_size(self, size: Size, spacing: tuple[float, float] | None) -> tuple[Size, tuple[float, float] | None]:
        """(H, W) and spacing in millimetres behind the step."""
        if spacing is None:
            return size, None
        height, width = (
            max(1, math.floor(n * mm / self.spacing_mm + 0.5)) for n, mm in zip(size, spacing, strict=True)
        )
        if max(height, width) > MAX_EXTENT:
            raise ConfigurationError(
                f"resample.spacing_mm is {self.spacing_mm:g}; an image of {size} pixels {spacing} mm apart would "
                f"become ({height}, {width}), expected at most {MAX_EXTENT} pixels a side"
            )
        return (height, width), (self.spacing_mm, self.spacing_mm)


@dataclass(frozen=True)
class Resize(Step):
    """Resize to (height, width) pixels.

    Parameters
    ----------
    method : the pixels that OpenCV's INTER_NEAREST, INTER_LINEAR, INTER_CUBIC, INTER_AREA give for float32 images
    """

    kind: ClassVar[str] = "resize"
    moves_pixels: ClassVar[bool] = True
    height: int
    width: int
    method: Method = "bilinear"

    def __post_init__(self) -> None:
        check_integer(self, "height", MAX_EXTENT)
        check_integer(self, "width", MAX_EXTENT)
        check_choice(self, "method", METHODS)

    def output_size(self, size: Size, spacing: tuple[float, float] | None) -> tuple[Size, tuple[float, float] | None]:
        """(H, W) and spacing in millimetres behind the step."""
        if spacing is not None:
            spacing = (spacing[0] * size[0] / self.height, spacing[1] * size[1] / self.width)
        return (self.height, self.width), spacing


@dataclass(frozen=True)
class CropOrPad(Step):
    """Keep the middle of (height, width) pixels, adding `value` where the image is smaller.

    An odd difference leaves the extra pixel at the bottom or right: the first kept pixel, or the width of the
    left pad, is difference // 2.
    """

    kind: ClassVar[str] = "crop_or_pad"
    moves_pixels: ClassVar[bool] = True
    height: int
    width: int
    value: float = 0.0

    def __post_init__(self) -> None:
        check_integer(self, "height", MAX_EXTENT)
        check_integer(self, "width", MAX_EXTENT)
        check_number(self, "value")

    def output_size(self, size: Size, spacing: tuple[float, float] | None) -> tuple[Size, tuple[float, float] | None]:
        """(H, W) and spacing in millimetres behind the step."""
        return (self.height, self.width), spacing
