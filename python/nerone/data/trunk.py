"""Draws a random :class:`nerone.data.anatomy.Trunk`: the outline of one patient and all that lies inside."""

from __future__ import annotations

import numpy as np

from nerone.data import organs, skeleton
from nerone.data.anatomy import BONE, Part, Trunk, draw_wobble
from nerone.data.body import Body, blob

__all__ = ["draw_trunk"]


def _draw_body(seed: int) -> Body:
    rng = np.random.default_rng([seed, 0x7C0])
    w, d, h = (float(v) for v in rng.uniform((0.84, 0.82, 0.9), (1.22, 1.3, 1.1)))
    contrast = 0.0 if rng.random() < 0.35 else float(rng.uniform(0.5, 1.25))
    return Body(
        rng,
        w,
        d,
        h,
        contrast,
        bool(rng.random() < 0.35),
        float(rng.uniform(120, 280)),
        float(rng.uniform(420, 900)),
        48 * d,
    )


def _draw_parts(body: Body) -> tuple[Part, ...]:
    rib_width, rib_depth = 143 * body.w, 99 * body.d
    parts = [
        *organs.muscles(body),
        *organs.lungs(body),
        *organs.chest(body),
        *organs.gut(body),
        *organs.liver(body),
        *organs.kidneys(body),
        *organs.vessels(body),
        *organs.bladder(body),
        *skeleton.ribs(body, rib_width, rib_depth),
        *skeleton.pelvis(body),
        *skeleton.spine(body),
        *skeleton.shoulders(body, rib_width),
    ]
    if body.rng.random() < 0.05:
        parts.append(blob(body, body.at(92, 2, -135), (18, 18, 30), 3000.0, BONE))
    return tuple(parts)


def draw_trunk(seed: int) -> Trunk:
    """Draw a patient.

    Parameters
    ----------
    seed : int, the same seed gives the same patient
    """
    body = _draw_body(seed)
    rng, w, d, h = body.rng, body.w, body.d, body.h
    fat = float(rng.gamma(2.2, 7.0) + 4)
    muscle = float(rng.uniform(8, 17))
    levels = np.array([-260, -150, -60, 30, 120, 220, 330, 420, 480]) * h
    widths = np.array([168, 172, 160, 140, 145, 150, 150, 165, 120]) * w + fat * 1.1 + rng.normal(0, 4, 9)
    depths = np.array([100, 102, 98, 92, 98, 106, 104, 95, 70]) * d + fat * 0.9 + rng.normal(0, 3, 9)
    fats = fat * np.array([1.5, 1.5, 1.3, 1.1, 0.9, 0.6, 0.5, 0.5, 0.5]) + 2
    parts = _draw_parts(body)
    bend = (draw_wobble(rng, 5.0, 160), draw_wobble(rng, 5.0, 160))
    return Trunk(
        lambda z: float(np.interp(z, levels, widths)),
        lambda z: float(np.interp(z, levels, depths)),
        lambda z: float(np.interp(z, levels, fats)),
        muscle,
        float(rng.uniform(-112, -92)),
        float(rng.uniform(45, 62)),
        parts,
        bend,
        bool(rng.random() < 0.25),
        seed,
        draw_wobble(rng, 1.0, 45, 6),
    )
