"""Whether stored values look like the calibration images': of another modality or scale, masks are nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.data.frame import Frame
from nerone.runtime.preprocessing import Percentile, Preprocessing, ZScore

__all__ = ["StoredValues", "ValueNotes"]

# Frames of one source that are looked at, and how far beyond the calibration images' range is unusual.
_LOOKED_AT = 8
_MARGIN = 0.15


def _quantiles(image: NDArray[Any]) -> tuple[float, float]:
    """Return the 1st and 99th percentile of every 16th pixel; NaN counts as 0, as everywhere."""
    values = np.nan_to_num(np.asarray(image[::4, ::4], np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
    low, high = np.quantile(values, (0.01, 0.99))
    return float(low), float(high)


class StoredValues:
    """Collects the range of calibration images as they were stored."""

    def __init__(self) -> None:
        self._ranges: list[tuple[float, float]] = []

    def add(self, image: NDArray[Any]) -> None:
        """Take one image (H, W) or (H, W, C) in."""
        self._ranges.append(_quantiles(image))

    def summary(self) -> dict[str, list[float]] | None:
        """Return, JSON-ready, between what the images' 1st ("low") and 99th percentiles ("high") lie; None of none."""
        if not self._ranges:
            return None
        lows, highs = zip(*self._ranges, strict=True)
        return {"low": [min(lows), max(lows)], "high": [min(highs), max(highs)]}


class ValueNotes:
    """Compares the frames of each source, while they pass by, with the calibration images of a bundle.

    Parameters
    ----------
    reference : what :meth:`StoredValues.summary` gave, or None, which makes no notes
    steps : Preprocessing; one that scales every image by its own values takes any scale
    """

    def __init__(self, reference: Mapping[str, Any] | None, steps: Preprocessing) -> None:
        relative = any(isinstance(step, (Percentile, ZScore)) for step in steps.steps)
        self._reference = None if relative else reference
        self._found: dict[Path, list[tuple[float, float]]] = {}

    @staticmethod
    def place(frame: Frame) -> Path:
        """Return what a note is about: a volume, or the folder of a picture."""
        return frame.source if frame.affine is not None else frame.source.parent

    def add(self, frame: Frame) -> None:
        """Look at a frame; of a volume, at some spread over it."""
        if self._reference is None:
            return
        stride = max(1, frame.count // _LOOKED_AT)
        found = self._found.setdefault(self.place(frame), [])
        if (frame.index or 0) % stride == 0 and len(found) < 4 * _LOOKED_AT:
            found.append(_quantiles(frame.image))

    def notes(self, place: Path) -> tuple[str, ...]:
        """Return the note on a volume or folder, if there is one."""
        ranges = self._found.get(place)
        if not ranges or self._reference is None:
            return ()
        low, high = (float(np.median(column)) for column in zip(*ranges, strict=True))
        lows, highs = self._reference["low"], self._reference["high"]
        margin = _MARGIN * (highs[1] - lows[0])
        if lows[0] - margin <= low <= lows[1] + margin and highs[0] - margin <= high <= highs[1] + margin:
            return ()
        return (
            f"its values run from {low:.4g} to {high:.4g}, those of the calibration images from {lows[0]:.4g} to "
            f"{highs[1]:.4g}; is it the modality and the unit that the network was trained on?",
        )

    def all_notes(self) -> list[tuple[Path, str]]:
        """Return every note with what it is about."""
        return [(place, note) for place in self._found for note in self.notes(place)]
