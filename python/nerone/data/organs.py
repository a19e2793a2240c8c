"""Draws the soft organs of one patient."""

from __future__ import annotations

import numpy as np

from nerone.data.anatomy import BLADDER, KIDNEYS, LIVER, LUNGS, Part, draw_wobble, ellipsoid, tube
from nerone.data.body import Body, blob

__all__ = ["bladder", "chest", "gut", "kidneys", "liver", "lungs", "muscles", "vessels"]


def muscles(body: Body) -> list[Part]:
    """Draw psoas, paraspinal, gluteal and pelvic muscles."""
    parts = []
    hu = body.u(45, 62)
    for side in (-1, 1):
        parts.append(
            blob(body, body.at(side * 38, body.spine_y + 32, 150), (30, 22, 290), hu, tilt=0.03, power=2.6, grain=12)
        )
        parts.append(blob(body, body.at(side * 48, body.spine_y - 12, 25), (23, 25, 130), hu, tilt=0.08, grain=6))
        parts.append(blob(body, body.at(side * 85, 70, -90), (62, 40, 95), hu, tilt=0.2, grain=12))
        parts.append(blob(body, body.at(side * 112, 5, -110), (38, 55, 100), hu, tilt=0.2, grain=10))
        parts.append(blob(body, body.at(side * 85, -45, -150), (48, 45, 70), hu, tilt=0.2, grain=10))
    parts.append(blob(body, body.at(0, 20, -150), (75, 55, 45), hu, tilt=0.1, grain=10))
    return parts


def lungs(body: Body) -> list[Part]:
    """Draw both lungs and their vessels."""
    parts = []
    hu = body.u(-880, -740)
    base = body.u(150, 190)
    for side in (-1, 1):
        radii = (66 * body.w, 88 * body.d, 175 * body.h)
        parts.append(
            blob(body, body.at(side * 76, 2, base + 125), radii, hu, LUNGS, tilt=0.06, rough=0.1, power=2.7, grain=35)
        )
    for _ in range(int(body.rng.integers(30, 60))):
        side = body.rng.choice([-1, 1])
        hilum = np.array([side * 35 * body.w, 15 * body.d, 290 * body.h])
        end = hilum + body.rng.normal(0, 1, 3) * (30 * body.w, 45 * body.d, 70 * body.h) + (side * 35 * body.w, 0, 0)
        middle = (hilum + end) / 2 + body.rng.normal(0, 10, 3)
        parts.append(tube(np.stack([hilum, middle, end]), body.u(1.2, 4.0), body.u(-100, 60), LUNGS))
    return parts


def chest(body: Body) -> list[Part]:
    """Draw mediastinum, heart, great vessels and trachea."""
    soft, blood = body.u(35, 55), body.enhanced(42, 120)
    parts = [
        blob(body, body.at(0, 5, 330), (38 * body.w, 62 * body.d, 130 * body.h), body.u(-60, 35), power=2.4, grain=12)
    ]
    parts.append(blob(body, body.at(22, -22, 245), (56 * body.w, 48 * body.d, 52 * body.h), soft, tilt=0.5))
    parts.append(blob(body, body.at(26, -20, 247), (42 * body.w, 34 * body.d, 38 * body.h), blood, tilt=0.5, grain=6))
    parts.append(blob(body, body.at(5, -15, 315), (16, 16, 50), blood, tilt=0.2))
    parts.append(tube(np.array([[0, 10, 310], [0, 15, 480]]) * (body.w, body.d, body.h), body.u(7, 10), -980))
    parts.append(
        tube(np.array([[4, body.spine_y - 24, 60], [16, body.spine_y - 24, 340]]) * (1, 1, body.h), body.u(5, 8), soft)
    )
    return parts


def _lesions(body: Body, centre: tuple[float, float, float], hu: float) -> list[Part]:
    parts = []
    for _ in range(int(body.rng.integers(1, 7)) if body.rng.random() < 0.35 else 0):
        spot = body.rng.normal(0, 1, 3) * (28 * body.w, 30 * body.d, 30 * body.h) + centre
        radius = body.u(4, 22)
        parts.append(blob(body, (spot[0], spot[1], spot[2]), (radius, radius, radius), hu - body.u(15, 70), LIVER))
    return parts


def liver(body: Body) -> list[Part]:
    """Draw the liver with its vessels and lesions, and the gall bladder."""
    hu = body.enhanced(56, 55)
    if body.rng.random() < 0.12:
        hu -= body.u(15, 40)
    vessel = hu + (body.contrast * body.u(15, 55) if body.contrast else body.u(-14, -6))
    centre = body.at(-72, -2, 158, 9)
    parts = [
        blob(
            body, centre, (66 * body.w, 76 * body.d, 76 * body.h), hu, LIVER, tilt=0.25, rough=0.14, power=2.3, grain=6
        ),
        blob(
            body,
            (centre[0] + 55 * body.w, centre[1] - 32 * body.d, centre[2] + 22),
            (62 * body.w, 38 * body.d, 42 * body.h),
            hu,
            LIVER,
            tilt=0.35,
            rough=0.15,
            grain=6,
        ),
        blob(
            body,
            (centre[0] - 8, centre[1] + 12, centre[2] - 58),
            (40 * body.w, 45 * body.d, 50 * body.h),
            hu,
            LIVER,
            rough=0.15,
            grain=6,
        ),
    ]
    hilum = np.array([centre[0] + 38 * body.w, centre[1] + 6, centre[2] + 8])
    for _ in range(int(body.rng.integers(6, 14))):
        end = np.array(centre) + body.rng.normal(0, 1, 3) * (30 * body.w, 32 * body.d, 32 * body.h)
        parts.append(
            tube(np.stack([hilum, (hilum + end) / 2 + body.rng.normal(0, 7, 3), end]), body.u(2, 5.5), vessel, LIVER)
        )
    parts += _lesions(body, centre, hu)
    parts.append(
        blob(body, (centre[0] + 25, centre[1] - 48 * body.d, centre[2] - 45), (16, 20, 28), body.u(2, 20), tilt=0.5)
    )
    return parts


def kidneys(body: Body) -> list[Part]:
    """Draw the kidneys with sinus, pelvis and cysts, and the adrenals."""
    hu = body.enhanced(33, 150 if body.rng.random() < 0.8 else 90)
    parts = []
    for side in (-1, 1):
        if body.rng.random() < 0.03:
            continue
        x, y, z = body.at(side * 66, body.spine_y * 0.78, 95 + 12 * side, 10)
        angles = (side * body.u(0.4, 0.9), side * body.u(-0.1, 0.3), body.u(-0.25, 0.15))
        size = body.u(0.85, 1.15)
        wobble = draw_wobble(body.rng, 0.12, 45)
        parts.append(
            ellipsoid(
                (x, y, z),
                (33 * size, 25 * size, 56 * size * body.h),
                hu,
                KIDNEYS,
                angles=angles,
                wobble=wobble,
                grain=8,
            )
        )
        pelvis = (x - side * 14 * size, y - 9 * size, z)
        parts.append(blob(body, pelvis, (15 * size, 11 * size, 24 * size), body.u(-90, -30), KIDNEYS, rough=0.3))
        parts.append(
            blob(body, (pelvis[0] - side * 10, pelvis[1] - 5, z), (14 * size, 12 * size, 18 * size), -95, 0, rough=0.3)
        )
        filled = body.u(300, 900) if body.contrast and body.rng.random() < 0.25 else body.u(0, 30)
        parts.append(blob(body, pelvis, (6, 5, 14), filled, KIDNEYS, rough=0.3))
        for _ in range(int(body.rng.integers(1, 4)) if body.rng.random() < 0.3 else 0):
            cyst = np.array([x, y, z]) + body.rng.normal(0, 18, 3)
            radius = body.u(5, 18)
            parts.append(blob(body, (cyst[0], cyst[1], cyst[2]), (radius, radius, radius), body.u(0, 15), KIDNEYS))
        parts.append(blob(body, (x - side * 8, y - 12, z + 60), (12, 6, 14), body.u(10, 40), rough=0.4))
    return parts


def _loop(
    body: Body, wall: float, centre: tuple[float, float, float], radii: tuple[float, float, float], tilt: float
) -> list[Part]:
    """Return a piece of bowel: wall, contents, and sometimes gas above them."""
    kind = body.rng.random()
    lumen = body.u(-10, 35) if kind < 0.55 else body.u(-60, 10) if kind < 0.75 else -960
    if body.oral and kind < 0.6:
        lumen = body.u(120, 380)
    turns = body.rng.uniform(-tilt, tilt, 3)
    angles = (float(turns[0]), float(turns[1]), float(turns[2]))
    wobble = draw_wobble(body.rng, 0.2, 1.2 * max(radii))
    inner = (max(radii[0] - 3, 2), max(radii[1] - 3, 2), max(radii[2] - 3, 2))
    grain = 40.0 if 0.55 <= kind < 0.75 else 8.0
    parts = [
        ellipsoid(centre, radii, wall, angles=angles, wobble=wobble),
        ellipsoid(centre, inner, lumen, angles=angles, wobble=wobble, grain=grain),
    ]
    if lumen > -100 and body.rng.random() < 0.3:  # gas rises to the front of a patient lying on the back
        gas = (inner[0] * 0.6, inner[1] * 0.35, inner[2] * 0.6)
        parts.append(ellipsoid((centre[0], centre[1] - inner[1] * 0.6, centre[2]), gas, -970, angles=angles))
    return parts


def gut(body: Body) -> list[Part]:
    """Draw bowel, stomach, spleen and pancreas."""
    parts: list[Part] = []
    wall = body.enhanced(38, 45)

    for _ in range(int(body.rng.integers(28, 76))):
        x, y, z = body.rng.uniform(-90, 90), body.rng.uniform(-78, 22), body.rng.uniform(-120, 110)
        parts += _loop(body, wall, body.at(x, y, z), (body.u(9, 17), body.u(9, 17), body.u(18, 42)), 1.5)
    for side in (-1, 1):
        for height in range(-40, 110, 45):
            parts += _loop(
                body,
                wall,
                body.at(side * 108, 5, float(height), 12),
                (body.u(17, 30), body.u(17, 30), body.u(26, 38)),
                0.5,
            )
    for across in range(-90, 100, 45):
        parts += _loop(
            body,
            wall,
            body.at(float(across), -70, 75 + 0.25 * abs(across), 16),
            (body.u(24, 36), body.u(14, 24), body.u(16, 26)),
            0.5,
        )
    parts += _loop(body, wall, body.at(4, 52, -110, 10), (body.u(15, 28), body.u(15, 26), body.u(35, 50)), 0.3)
    parts += _loop(body, wall, body.at(58, -28, 150, 12), (body.u(30, 52), body.u(30, 50), body.u(38, 62)), 0.6)
    spleen = blob(
        body,
        body.at(102, 38, 160, 10),
        (28 * body.w, 44 * body.d, 50 * body.h),
        body.enhanced(48, 75),
        tilt=0.5,
        grain=6,
    )
    pancreas = blob(
        body, body.at(12, -18, 118, 10), (60, 13, 16), body.enhanced(35, 60), tilt=0.35, rough=0.35, grain=12
    )
    return [*parts, spleen, pancreas]


def vessels(body: Body) -> list[Part]:
    """Draw aorta, vena cava and the iliac vessels."""
    blood = body.enhanced(42, body.u(80, 260))
    cava = body.enhanced(42, body.u(40, 110))
    y = body.spine_y - 36
    paths = [
        ([[6, y, 5], [10, y, 200], [18, y + 4, 380]], body.u(8, 14), blood),
        ([[-20, y, 0], [-24, y - 6, 210]], body.u(9, 14), cava),
    ]
    for side in (-1, 1):
        paths.append(
            (
                [[side * 5, y, 5], [side * 45, y + 10, -50], [side * 75, -55, -140], [side * 78, -62, -220]],
                body.u(4.5, 7),
                blood,
            )
        )
        paths.append(
            (
                [[side * 8, y + 5, 0], [side * 48, y + 20, -50], [side * 68, -50, -140], [side * 70, -56, -220]],
                body.u(5, 8),
                cava,
            )
        )
    parts = []
    for points, radius, hu in paths:
        path = np.array(points) * (1, 1, body.h) + body.rng.normal(0, 3, (len(points), 3))
        parts.append(tube(path, radius, hu))
        if body.rng.random() < 0.2:
            spot = path[len(path) // 2] + (radius * 0.8, 0, 0)
            parts.append(ellipsoid((spot[0], spot[1], spot[2]), (2.5, 2.5, 8), body.u(300, 900)))
    return parts


def bladder(body: Body) -> list[Part]:
    """Draw the bladder and what lies behind and below it."""
    size = body.u(0.55, 1.25)
    centre = body.at(0, -28, -118, 8)
    hu = body.u(150, 700) if body.contrast and body.rng.random() < 0.12 else body.u(-4, 18)
    outer = (40 * size * body.u(0.9, 1.3), 34 * size, 33 * size)
    wobble = draw_wobble(body.rng, 0.12, 60)
    inner = (outer[0] - 2.5, outer[1] - 2.5, outer[2] - 2.5)
    prostate = blob(body, (centre[0], centre[1] + 12, centre[2] - 38), (24, 20, 22), body.enhanced(38, 25), grain=8)
    uterus = blob(
        body, (centre[0], centre[1] + 42, centre[2] + 5), (30, 20, 28), body.enhanced(42, 50), tilt=0.5, grain=8
    )
    around = [prostate, uterus][: int(body.rng.integers(1, 3))]
    return [
        *around,
        ellipsoid(centre, outer, body.u(25, 45), BLADDER, wobble=wobble, power=2.2),
        ellipsoid(centre, inner, hu, BLADDER, wobble=wobble, power=2.2, grain=3),
    ]
