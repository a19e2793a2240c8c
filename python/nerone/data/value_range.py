"""Whether stored values look like the calibration images': of another modality or scale, masks are nonsense.

Where the preprocessing takes values as they are, their range is compared. Where it scales every image by its own values
(percentiles, z-scores), any scale is right, and the shape of the distribution is compared: where in an image's range
the middle value above the background lies, and how far below zero the range begins. That keeps CT, MR and photographs
apart, not one MR contrast from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.runtime.preprocessing import Percentile, Preprocessing, ZScore

__all__ = ["PlayedNotes", "StoredValues", "ValueNotes"]

# Frames of one source that are looked at, and how far beyond the calibration images' values is unusual: of their range,
# and of an image's own range for the shape.
_LOOKED_AT = 8
# A film may begin in the dark: of pictures without an end the note waits for so many, looked at ever more rarely.
_PLAYED = 1 << (_LOOKED_AT - 1)
_MARGIN = 0.15
_SHAPE_MARGIN = 0.15

# Of an image's range what counts as background: how much of it there is depends on the field of view alone.
_BACKGROUND = 0.05

_RANGE = ("low", "high")
_SHAPE = ("middle", "floor")


def _statistics(image: NDArray[Any]) -> dict[str, float]:
    """Return range and shape of every 16th pixel; NaN counts as 0, as everywhere."""
    values = np.asarray(image[::4, ::4], np.float64).ravel()
    if image.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=1e30, neginf=-1e30)
    values = np.sort(values)
    low, high = _quantile(values, 0.01), _quantile(values, 0.99)
    found = {"low": low, "high": high}
    if high > low:
        above = values[np.searchsorted(values, low + _BACKGROUND * (high - low), side="right") :]
        found.update(middle=(_quantile(above, 0.5) - low) / (high - low), floor=low / max(abs(low), abs(high)))
    return found


def _quantile(ordered: NDArray[np.float64], share: float) -> float:
    """Return a quantile of ordered values, interpolated linearly as by `numpy.quantile`, without its overhead."""
    place = share * (ordered.size - 1)
    before = int(place)
    lower, upper = float(ordered[before]), float(ordered[min(before + 1, ordered.size - 1)])
    return lower + (place - before) * (upper - lower)


class StoredValues:
    """Collects range and shape of calibration images as they were stored."""

    def __init__(self) -> None:
        self._found: list[dict[str, float]] = []

    def add(self, image: NDArray[Any]) -> None:
        """Take one image (H, W) or (H, W, C) in."""
        self._found.append(_statistics(image))

    def summary(self) -> dict[str, list[float]] | None:
        """Return, JSON-ready, between what the images' statistics lie; None of none.

        "low" and "high" are an image's 1st and 99th percentile; of images that are not of one value, "middle" says how
        far from one to the other (0 to 1) the median of the values above the background lies, and "floor" is the 1st
        percentile over the larger magnitude of both (-1 to 1).
        """
        told = {}
        for name in (*_RANGE, *_SHAPE):
            values = [found[name] for found in self._found if name in found]
            if values:
                told[name] = [min(values), max(values)]
        return told or None


class ValueNotes:
    """Compares the frames of each source, while they pass by, with the calibration images of a bundle.

    Parameters
    ----------
    reference : what :meth:`StoredValues.summary` gave, or None, which makes no notes
    steps : Preprocessing; where it scales every image by its own values, the shape is compared in place of the range
    """

    def __init__(self, reference: Mapping[str, Any] | None, steps: Preprocessing) -> None:
        relative = any(isinstance(step, (Percentile, ZScore)) for step in steps.steps)
        self._names = _SHAPE if relative else _RANGE
        told = reference is not None and all(name in reference for name in self._names)
        self._reference = reference if told else None
        self._found: dict[Path, list[dict[str, float]]] = {}

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
            statistics = _statistics(frame.image)
            if all(name in statistics for name in self._names):
                found.append(statistics)

    @property
    def compares(self) -> bool:
        """Whether there is anything to compare with."""
        return self._reference is not None

    def looks(self, place: Path) -> int:
        """Return how many frames of a volume or folder were looked at."""
        return len(self._found.get(place, ()))

    def notes(self, place: Path) -> tuple[str, ...]:
        """Return the note on a volume or folder, if there is one."""
        return self._compared(self._found.get(place, ()))

    def of(self, images: Sequence[NDArray[Any]]) -> tuple[str, ...]:
        """Return the note on images (H, W) or (H, W, C) that belong together, if there is one; none is kept."""
        if self._reference is None:
            return ()
        found = [_statistics(image) for image in images[:: max(1, len(images) // _LOOKED_AT)]]
        return self._compared([one for one in found if all(name in one for name in self._names)])

    def _compared(self, found: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
        if not found or self._reference is None:
            return ()
        median = {name: float(np.median([one[name] for one in found])) for name in self._names}
        return _range_note(median, self._reference) if self._names == _RANGE else _shape_note(median, self._reference)

    def all_notes(self) -> list[tuple[Path, str]]:
        """Return every note with what it is about."""
        return [(place, note) for place in self._found for note in self.notes(place)]


class PlayedNotes:
    """Makes each source's note once, while its frames are played in any order and again and again.

    Parameters
    ----------
    reference, steps : as for :class:`ValueNotes`
    """

    def __init__(self, reference: Mapping[str, Any] | None, steps: Preprocessing) -> None:
        self._notes = ValueNotes(reference, steps)
        self._played: dict[Path, int] = {}
        self._done: set[Path] = set()

    def note(self, frame: Frame) -> str:
        """Look at a frame that is played; return the note on its volume or folder, once, or ""."""
        place = self._notes.place(frame)
        if place in self._done:
            return ""
        played = self._played[place] = self._played.get(place, 0) + 1
        if frame.affine is not None:
            self._notes.add(frame)
            ended = self._notes.looks(place) >= min(frame.count, _LOOKED_AT) or played >= max(frame.count, _PLAYED)
        else:
            if played & (played - 1) == 0:
                self._notes.add(replace(frame, index=None))
            ended = played >= _PLAYED
        if not ended:
            return ""
        self._done.add(place)
        return " ".join(self._notes.notes(place))


def _range_note(found: Mapping[str, float], reference: Mapping[str, Any]) -> tuple[str, ...]:
    low, high, lows, highs = found["low"], found["high"], reference["low"], reference["high"]
    margin = _MARGIN * (highs[1] - lows[0])
    if lows[0] - margin <= low <= lows[1] + margin and highs[0] - margin <= high <= highs[1] + margin:
        return ()
    return (
        f"its values run from {low:.4g} to {high:.4g}, those of the calibration images from {lows[0]:.4g} to "
        f"{highs[1]:.4g}; is it the modality and the unit that the network was trained on?",
    )


def _shape_note(found: Mapping[str, float], reference: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the note on the statistic that is furthest off, if one is."""
    beyond = {name: max(reference[name][0] - found[name], found[name] - reference[name][1]) for name in _SHAPE}
    worst = max(beyond, key=beyond.__getitem__)
    if beyond[worst] <= _SHAPE_MARGIN:
        return ()
    of_calibration = f"{100 * reference[worst][0]:.0f} to {100 * reference[worst][1]:.0f} %"
    if worst == "floor":
        said = (
            f"its lowest value is {100 * found[worst]:.0f} % of its largest in magnitude, that of the calibration "
            f"images {of_calibration}"
        )
    else:
        said = (
            f"half of its values above the background lie in the lowest {100 * found[worst]:.0f} % of its range, of "
            f"the calibration images' in the lowest {of_calibration}"
        )
    return (f"{said}; is it the modality that the network was trained on?",)
