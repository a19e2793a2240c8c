"""Sizes and densities of one patient, shared by the organs and the skeleton that are drawn for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerone.data.anatomy import Part, draw_wobble, ellipsoid

__all__ = ["Body", "blob"]


@dataclass(frozen=True)
class Body:
    """Sizes and densities that several parts share; ``w``, ``d``, ``h`` scale width, depth and height."""

    rng: np.random.Generator
    w: float
    d: float
    h: float
    contrast: float
    oral: bool
    trabecular: float
    cortical: float
    spine_y: float

    def u(self, low: float, high: float) -> float:
        """Draw a number between two."""
        return float(self.rng.uniform(low, high))

    def at(self, x: float, y: float, z: float, jitter_mm: float = 5.0) -> tuple[float, float, float]:
        """Scale a place of the average body to this one, and move it a little."""
        dx, dy, dz = self.rng.normal(0, jitter_mm / 2, 3)
        return (x * self.w + dx, y * self.d + dy, z * self.h + dz)

    def enhanced(self, plain: float, gain: float) -> float:
        """Return the density of a tissue that gains ``gain`` HU with contrast medium."""
        return plain + self.contrast * gain + self.u(-6, 6)


def blob(
    body: Body,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    hu: float,
    label: int = 0,
    *,
    tilt: float = 0.3,
    rough: float = 0.18,
    power: float = 2.0,
    grain: float = 0.0,
) -> Part:
    """Return an ellipsoid of about these radii (mm), tilted and with rough walls."""
    size = body.rng.uniform(0.88, 1.12, 3) * radii
    angles = body.rng.uniform(-tilt, tilt, 3)
    wobble = draw_wobble(body.rng, rough, 1.1 * max(radii))
    return ellipsoid(
        centre,
        (float(size[0]), float(size[1]), float(size[2])),
        hu,
        label,
        angles=(float(angles[0]), float(angles[1]), float(angles[2])),
        wobble=wobble,
        power=power,
        grain=grain,
    )
