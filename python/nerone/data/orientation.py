"""How the axes of a volume lie in the body, and how slices are turned to what a network was trained on and back.

An orientation is three letters, one per axis, for where its indices grow to: right or left (R, L), anterior or
posterior (A, P), superior or inferior (S, I). A network sees slices one at a time, so the third letter names the axis
they are stacked along; their order stays as stored.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["AS_STORED", "TRANSPOSED", "Turn", "axis_codes", "turn_for"]

_LETTERS = ("LR", "PA", "IS")
Axes = tuple[int, int, int]
Flips = tuple[bool, bool, bool]


@dataclass(frozen=True)
class Turn:
    """A permutation and mirroring of the three axes of a volume.

    Attributes
    ----------
    axes : for each axis after the turn, the axis it was before
    flips : for each axis after the turn, whether it runs the other way
    """

    axes: Axes
    flips: Flips

    @property
    def keeps_slices(self) -> bool:
        """Whether slices stay slices, in their order."""
        return self.axes[2] == 2 and not self.flips[2]

    def after(self, first: Turn) -> Turn:
        """Return the one turn that does ``first`` and then this."""
        axes = tuple(first.axes[axis] for axis in self.axes)
        flips = tuple(first.flips[axis] != flip for axis, flip in zip(self.axes, self.flips, strict=True))
        return Turn(axes, flips)  # type: ignore[arg-type]

    def inverse(self) -> Turn:
        """Return the turn that undoes this one."""
        axes = tuple(self.axes.index(axis) for axis in range(3))
        return Turn(axes, tuple(self.flips[axis] for axis in axes))  # type: ignore[arg-type]

    def volume(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return a turned view of (X, Y, Z) or (X, Y, Z, C)."""
        turned = data.transpose(*self.axes, *range(3, data.ndim))
        flips = tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)
        return np.asarray(turned[flips])

    def slice(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return a turned copy of one slice (X, Y) or (X, Y, C); only of a turn that keeps slices."""
        return np.ascontiguousarray(self.volume(image[:, :, np.newaxis])[:, :, 0])

    def shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return the shape after the turn."""
        return shape[self.axes[0]], shape[self.axes[1]], shape[self.axes[2]]

    def affine(self, affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the affine after the turn of a volume of ``shape`` before it."""
        index = np.zeros((4, 4))
        index[3, 3] = 1
        for axis, (before, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            index[before, axis] = -1 if flip else 1
            index[before, 3] = shape[before] - 1 if flip else 0
        return np.asarray(affine @ index)

    @classmethod
    def to(cls, orientation: str, affine: NDArray[np.float64]) -> Turn:
        """Return the turn of a volume with this affine to an orientation.

        Raises
        ------
        ConfigurationError
            If an axis of the affine has no length.
        """
        world, up = _nearest_axes(affine)
        axes, flips = [], []
        for letter in orientation:
            direction = next(n for n, letters in enumerate(_LETTERS) if letter in letters)
            axis = world.index(direction)
            axes.append(axis)
            flips.append(up[axis] != (letter == _LETTERS[direction][1]))
        flips[2] = flips[2] and axes[2] != 2
        return cls(tuple(axes), tuple(flips))  # type: ignore[arg-type]


AS_STORED = Turn((0, 1, 2), (False, False, False))
TRANSPOSED = Turn((1, 0, 2), (False, False, False))
# From DICOM's rows by columns to the axes of a NIfTI file that dcm2niix makes: columns by rows, the rows backwards.
_LIKE_NIFTI = Turn((1, 0, 2), (False, True, False))


def _nearest_axes(affine: NDArray[np.float64]) -> tuple[list[int], list[bool]]:
    """Return for each voxel axis the body axis it lies nearest to, and whether it grows to right, anterior, superior.

    No two share one: of all six assignments, the one with the largest sum of cosines.
    """
    steps = np.asarray(affine, np.float64)[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    if not np.isfinite(steps).all() or (lengths < 1e-6).any():
        raise ConfigurationError(
            "the affine has an axis of no length, so how the volume lies in the body is unknown; mend its header"
        )
    cosines = steps / lengths
    best = max(itertools.permutations(range(3)), key=lambda world: sum(abs(cosines[w, j]) for j, w in enumerate(world)))
    return list(best), [bool(cosines[w, j] > 0) for j, w in enumerate(best)]


def axis_codes(affine: NDArray[np.float64]) -> str:
    """Return the orientation of a volume.

    Examples
    --------
    >>> axis_codes(np.diag([-1.0, -1.0, 2.0, 1.0]))
    'LPS'
    """
    world, up = _nearest_axes(affine)
    return "".join(_LETTERS[direction][grows] for direction, grows in zip(world, up, strict=True))


def turn_for(steps: Preprocessing, affine: NDArray[np.float64], path: Path, *, dicom: bool) -> Turn:
    """Return the turn from a volume as stored to what the network was trained on.

    Without a declaration NIfTI stays as stored, and DICOM gets the axes of the NIfTI file that dcm2niix makes of it.
    """
    orientation = steps.orientation or (steps.dicom_orientation if dicom else "")
    if not orientation:
        return _LIKE_NIFTI if dicom else AS_STORED
    try:
        return Turn.to(orientation, affine)
    except ConfigurationError as error:
        raise ConfigurationError(f"'{path}': {error}") from None
