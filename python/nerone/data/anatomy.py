"""A parametric human trunk: what the CT phantoms are painted from.

Coordinates are millimetres in the patient's frame: ``x`` grows to the patient's left, ``y`` to the back, ``z`` to the
head; ``z = 0`` is the height of the iliac crests. A trunk is a list of :class:`Part`, painted in order, later over
earlier. Hounsfield units follow the usual ranges of abdominal CT: air -1000, lung -850 to -700, fat -110 to -90, water
0, soft tissue 30 to 60 (up to 200 with contrast medium), trabecular bone 120 to 300, cortical bone 500 to 1200.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip

__all__ = [
    "BLADDER",
    "BONE",
    "KIDNEYS",
    "LIVER",
    "LUNGS",
    "Part",
    "Trunk",
    "Wobble",
    "draw_wobble",
    "ellipsoid",
    "tube",
]

LIVER, BLADDER, LUNGS, KIDNEYS, BONE = 1, 2, 3, 4, 5

Floats = NDArray[np.float32]
Region = Callable[[Floats, Floats, float], Floats]


@dataclass(frozen=True)
class Part:
    """A thing with one density.

    Attributes
    ----------
    region : function of x, y (N,) float32 and z float in mm to (N,) float32; the part is where it is below 1
    centre, reach : (x, y, z) and float, mm; nothing of the part lies farther than ``reach`` from ``centre`` along any
        axis
    hu : float, Hounsfield units
    label : int, CT-ORG id, 0 for background
    grain : float, HU, standard deviation of the part's own mottle
    """

    region: Region
    centre: tuple[float, float, float]
    reach: float
    hu: float
    label: int = 0
    grain: float = 0.0


@dataclass(frozen=True)
class Wobble:
    """A smooth scalar or displacement field: a sum of sines.

    Attributes
    ----------
    waves : (K, 3) float, angular frequencies in 1/mm
    phases : (K,) float
    amplitudes : (K,) float
    """

    waves: NDArray[np.float64]
    phases: NDArray[np.float64]
    amplitudes: NDArray[np.float64]

    def __call__(self, x: Floats, y: Floats, z: float) -> Floats:
        """Return the field's value at the points ``x``, ``y`` of height ``z``."""
        value = np.zeros_like(x)
        for (wx, wy, wz), phase, amplitude in zip(self.waves, self.phases, self.amplitudes, strict=True):
            value += np.float32(amplitude) * np.sin(
                np.float32(wx) * x + np.float32(wy) * y + np.float32(wz * z + phase)
            )
        return value


@dataclass(frozen=True)
class Trunk:
    """One patient: an outline as functions of the height, parts inside it, and how everything is bent."""

    half_width: Callable[[float], float]
    half_depth: Callable[[float], float]
    fat_mm: Callable[[float], float]
    muscle_mm: float
    hu_fat: float
    hu_muscle: float
    parts: tuple[Part, ...]
    bend: tuple[Wobble, Wobble]
    arms: bool
    seed: int
    tissue: Wobble = field(default_factory=lambda: draw_wobble(np.random.default_rng(0), 1.0, 20.0))


def draw_wobble(rng: np.random.Generator, amplitude: float, wavelength_mm: float, count: int = 4) -> Wobble:
    """Draw a random smooth field with values of about ``amplitude`` that changes over ``wavelength_mm``."""
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = wavelength_mm * rng.uniform(0.6, 1.8, count)
    amplitudes = amplitude * rng.uniform(0.4, 1.0, count) / np.sqrt(count / 2)
    return Wobble(directions * (2 * np.pi / lengths)[:, None], rng.uniform(0, 2 * np.pi, count), amplitudes)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the matrix of three rotations, about z, y and x, in radians."""
    cz, sz, cy, sy, cx, sx = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return np.asarray(about_z @ about_y @ about_x)


def ellipsoid(
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    hu: float,
    label: int = 0,
    *,
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    wobble: Wobble | None = None,
    power: float = 2.0,
    grain: float = 0.0,
) -> Part:
    """Return a (super)ellipsoid with rough walls: sum of |u / r|^power < 1, r scaled by 1 + wobble."""
    inverse = (rotation(*angles).T / np.asarray(radii)[:, None]).astype(np.float32)

    def region(x: Floats, y: Floats, z: float) -> Floats:
        dx, dy, dz = x - np.float32(centre[0]), y - np.float32(centre[1]), np.float32(z - centre[2])
        total = np.zeros_like(dx)
        for row in inverse:
            axis = row[0] * dx + row[1] * dy + row[2] * dz
            total += axis * axis if power == 2.0 else np.abs(axis) ** np.float32(power)
        return total if wobble is None else np.asarray(total * (1 + wobble(x, y, z)))

    return Part(region, centre, max(radii) * 1.35, hu, label, grain)


def tube(
    path: NDArray[np.float64], radius: float, hu: float, label: int = 0, *, flatten: float = 1.0, grain: float = 0.0
) -> Part:
    """Return a tube of ``radius`` mm around the polyline ``path`` (N, 3) mm; ``flatten`` below 1 thins it along z."""
    low, high = path.min(axis=0), path.max(axis=0)
    centre = (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2, float(low[2] + high[2]) / 2)
    starts, steps = path[:-1].astype(np.float32), np.diff(path, axis=0).astype(np.float32)
    squash = np.float32(1 / flatten)

    def region(x: Floats, y: Floats, z: float) -> Floats:
        nearest = np.full_like(x, np.inf)
        for start, step in zip(starts, steps, strict=True):
            if min(start[2], start[2] + step[2]) - radius > z or max(start[2], start[2] + step[2]) + radius < z:
                continue
            dx, dy, dz = x - start[0], y - start[1], np.float32(z - start[2])
            along = np.clip((dx * step[0] + dy * step[1] + dz * step[2]) / max(float(step @ step), 1e-6), 0, 1)
            distance = (
                (dx - along * step[0]) ** 2 + (dy - along * step[1]) ** 2 + (squash * (dz - along * step[2])) ** 2
            )
            nearest = np.minimum(nearest, distance)
        return np.asarray(nearest / np.float32(radius * radius))

    return Part(region, centre, float((high - low).max() / 2 + radius), hu, label, grain)
