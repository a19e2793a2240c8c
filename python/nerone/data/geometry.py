"""Unusual geometry of a volume, as sentences for the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame

__all__ = ["GeometryNotes", "geometry_notes"]

OBLIQUE_DEG = 5.0
ANISOTROPY = 1.05
_PLANES = ("sagittal", "coronal", "axial")


def geometry_notes(affine: NDArray[np.float64]) -> list[str]:
    """Return a sentence for each unusual property of a volume; none for square pixels on axial slices.

    Parameters
    ----------
    affine : (4, 4) float64, index of the voxels to millimetres, right-anterior-superior

    Examples
    --------
    >>> geometry_notes(np.diag([0.5, 1.0, 2.0, 1.0]))
    ['pixels of 0.5 x 1 mm are not square; a preset with resampling makes them so, others take them as they are']
    """
    steps = affine[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    if (lengths < 1e-6).any():
        return ["the affine has an axis of no length; the spacing of its voxels is unknown"]
    notes = []
    cosines = np.abs(steps / lengths)
    angle = float(np.rad2deg(np.arccos(np.clip(cosines.max(axis=0).min(), -1, 1))))
    if angle > OBLIQUE_DEG:
        notes.append(f"oblique by {angle:.0f} degrees; its slices are taken as they are stored, not resampled")
    plane = _PLANES[int(cosines[:, 2].argmax())]
    if plane != "axial":
        notes.append(f"its slices are {plane}, not axial; they are taken as they are stored, not turned")
    if max(lengths[:2]) / min(lengths[:2]) > ANISOTROPY:
        notes.append(
            f"pixels of {lengths[0]:.3g} x {lengths[1]:.3g} mm are not square; a preset with resampling makes them so, "
            "others take them as they are"
        )
    return notes


class GeometryNotes:
    """Collects the notes of every source once, while its frames pass by.

    Attributes
    ----------
    notes : list of (Path, str)
    """

    def __init__(self) -> None:
        self.notes: list[tuple[Path, str]] = []
        self._seen: set[Path] = set()

    def add(self, frame: Frame) -> None:
        """Note what is unusual about the source of a frame."""
        if frame.affine is not None and frame.source not in self._seen:
            self._seen.add(frame.source)
            self.notes += [(frame.source, note) for note in geometry_notes(frame.affine)]
