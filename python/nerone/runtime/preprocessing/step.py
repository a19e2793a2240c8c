"""The base of all steps of a preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Size", "Step"]

Size = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """The base of all steps; never used by itself."""

    kind: ClassVar[str] = ""
    moves_pixels: ClassVar[bool] = False

    @property
    def input_channels(self) -> int | None:
        """Channels that the step needs, or None where any number goes."""
        return None

    @property
    def needs_volume(self) -> bool:
        """Whether the step works with statistics of the whole volume."""
        return False

    def output_channels(self, channels: int) -> int:
        """Channels behind the step."""
        return channels

    def output_size(self, size: Size, spacing: tuple[float, float] | None) -> tuple[Size, tuple[float, float] | None]:
        """(H, W) and spacing in millimetres behind the step."""
        return size, spacing
