"""Draws the skeleton of one patient: cortical shells round trabecular cores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nerone.data.anatomy import BONE, Part, draw_wobble, ellipsoid, tube
from nerone.data.body import Body, blob

__all__ = ["pelvis", "ribs", "shoulders", "spine"]


def _shelled(
    body: Body,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    *,
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    shell_mm: float = 2.5,
    power: float = 2.0,
) -> list[Part]:
    wobble = draw_wobble(body.rng, 0.1, 1.2 * max(radii))
    cortical, trabecular = body.cortical * body.u(0.75, 1.2), body.trabecular * body.u(0.8, 1.2)
    inner = (radii[0] - shell_mm, radii[1] - shell_mm, radii[2] - shell_mm)
    parts = [ellipsoid(centre, radii, cortical, BONE, angles=angles, wobble=wobble, power=power, grain=60)]
    if min(inner) > 1:
        parts.append(ellipsoid(centre, inner, trabecular, BONE, angles=angles, wobble=wobble, power=power, grain=45))
    return parts


def _bone_tube(
    body: Body, points: NDArray[np.float64], radius: float, shell_mm: float = 2.0, flatten: float = 1.0
) -> list[Part]:
    parts = [tube(points, radius, body.cortical * body.u(0.8, 1.2), BONE, flatten=flatten, grain=60)]
    if radius - shell_mm > 1:
        parts.append(
            tube(points, radius - shell_mm, body.trabecular * body.u(0.6, 1.1), BONE, flatten=flatten, grain=40)
        )
    return parts


def spine(body: Body) -> list[Part]:
    """Draw vertebrae and discs from the sacrum to the neck."""
    parts = []
    z, y = -5.0 * body.h, body.spine_y
    while z < 480 * body.h:
        size = float(np.interp(z, [0, 200, 450], [1.0, 0.8, 0.6])) * body.u(0.95, 1.05)
        height = float(np.interp(z, [0, 200, 450], [34, 27, 19])) * body.h
        middle = z + height / 2
        parts.append(blob(body, (0, y, z), (23 * size, 17 * size, 8), body.u(60, 110), tilt=0.05))
        parts += _shelled(body, (0, y, middle), (25 * size, 18 * size, height * 0.5), power=3.2, shell_mm=1.8)
        for side in (-1, 1):
            transverse = np.array(
                [[side * 10, y + 15, middle], [side * 20 * size, y + 22, middle], [side * 44 * size, y + 27, middle]]
            )
            parts += _bone_tube(body, transverse, 6 * size, flatten=0.9)
            lamina = np.array(
                [
                    [side * 18 * size, y + 20, middle],
                    [side * 12, y + 34 * size, middle - 3],
                    [0, y + 42 * size, middle - 5],
                ]
            )
            parts += _bone_tube(body, lamina, 5.5 * size, shell_mm=2.5, flatten=0.7)
        parts += _bone_tube(
            body, np.array([[0, y + 40 * size, middle - 4], [0, y + 60 * size, middle - 10]]), 4.2 * size, flatten=0.5
        )
        parts.append(
            blob(body, (0, y + 26 * size, middle), (10, 8, height * 0.6), body.u(20, 50), tilt=0.02, rough=0.05)
        )
        z += height * 1.22
    return parts


def ribs(body: Body, width: float, depth: float) -> list[Part]:
    """Draw ribs, their cartilage and the sternum inside a chest of this half width and depth in mm."""
    parts = []
    for number in range(12):
        top = (175 + number * 25) * body.h
        shrink = float(np.interp(number, [0, 3, 9, 11], [0.9, 1.0, 0.92, 0.7]))
        reach = 0.6 if number < 2 else 1.0
        for side in (-1, 1):
            theta = np.linspace(0.12, 2.45 * reach + body.u(-0.1, 0.1), 9)
            x = side * width * shrink * np.sin(theta)
            y = depth * shrink * np.cos(theta) * 0.98 + 4
            z = top - (125 * (theta / np.pi) ** 0.9 + 4) * body.h
            parts += _bone_tube(body, np.stack([x, y, z], axis=1), body.u(4.2, 5.8), shell_mm=1.6, flatten=1.25)
            if reach == 1.0:
                end = np.array([[x[-1], y[-1], z[-1]], [side * 14, -depth * shrink * 0.98, z[-1] + 25]])
                parts.append(tube(end, 5.0, body.u(80, 140)))
    sternum = (0.0, -depth * 0.95, 290 * body.h)
    parts += _shelled(body, sternum, (19, 7, 95 * body.h), shell_mm=1.6, power=2.6)
    return parts


def _sacrum(body: Body) -> list[Part]:
    parts = []
    for step in range(5):
        z = -18 - 24 * step
        width = 55 - 10 * step
        centre = (0.0, body.spine_y + 8 + 8 * np.sin(step / 4 * np.pi) + 6 * step * 0.5, z * body.h)
        parts += _shelled(body, centre, (width, 17 - 2 * step, 15 * body.h), power=2.6, shell_mm=2)
    return parts


def pelvis(body: Body) -> list[Part]:
    """Draw hip bones, sacrum and the upper ends of the femurs."""
    parts = []
    for side in (-1, 1):
        wing = np.array([[28, 72, -25], [58, 62, -5], [92, 30, -12], [112, -12, -22], [108, -42, -45]]) * (
            side * body.w,
            body.d,
            body.h,
        )
        for step in range(6):  # the iliac wing: a fan of plates that narrows towards the acetabulum
            share = step / 5
            target = np.array([88 * side * body.w, 8 * body.d, -118 * body.h])
            parts += _bone_tube(body, wing * (1 - share) + target * share, 7.5 + 1.5 * share, shell_mm=2.2)
        x, y, z = body.at(side * 92, 2, -132, 3)
        parts += _shelled(body, (x - side * 6, y, z + 4), (34, 34, 32), shell_mm=3)
        parts.append(ellipsoid((x, y, z), (27, 27, 27), body.u(60, 120)))
        parts += _shelled(body, (x, y, z), (24, 24, 24), shell_mm=2)
        shaft = np.array(
            [
                [x, y, z],
                [x + side * 42, y + 6, z - 25],
                [x + side * 50, y + 10, z - 60],
                [x + side * 44, y + 8, z - 160],
            ]
        )
        parts += _bone_tube(body, shaft, 15, shell_mm=4)
        ramus = np.array([[x - side * 20, y - 15, z], [side * 42, y - 42, z - 12], [side * 10, y - 52, z - 18]])
        parts += _bone_tube(body, ramus, 9)
        ischium = np.array(
            [
                [x - side * 12, y + 26, z],
                [side * 60, y + 38, z - 45],
                [side * 40, y - 5, z - 62],
                [side * 14, y - 48, z - 38],
            ]
        )
        parts += _bone_tube(body, ischium, 10)
    return [*parts, *_sacrum(body)]


def shoulders(body: Body, width: float) -> list[Part]:
    """Draw shoulder blades and collar bones."""
    parts = []
    for side in (-1, 1):
        blade = np.array([[side * 75, 78, 300], [side * 115, 70, 370], [side * 150 * body.w, 40, 430]]) * (
            1,
            body.d,
            body.h,
        )
        parts += _bone_tube(body, blade, 6, shell_mm=2.2)
        collar = np.array([[side * 22, -55, 435], [side * 90, -38, 455], [side * 150 * body.w, 0, 450]]) * (
            1,
            body.d,
            body.h,
        )
        parts += _bone_tube(body, collar, 6.5)
        if body.rng.random() < 0.4:
            parts += _shelled(body, (side * width * 1.02, 5, 430 * body.h), (24, 24, 26))
    return parts
