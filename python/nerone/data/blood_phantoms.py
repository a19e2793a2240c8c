"""Blood smear phantoms: one stained white cell of a known class among red cells, in BCCD's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.anatomy import Floats, draw_wobble
from nerone.data.bccd import CLASSES
from nerone.data.phantoms import blur
from nerone.errors import ConfigurationError

__all__ = ["draw_blood_phantom", "write_blood_phantoms"]


def _disc(x: Floats, y: Floats, cx: float, cy: float, rx: float, ry: float, rng: np.random.Generator) -> Floats:
    turn = rng.uniform(0, np.pi)
    dx, dy = x - np.float32(cx), y - np.float32(cy)
    u, v = np.cos(turn) * dx + np.sin(turn) * dy, -np.sin(turn) * dx + np.cos(turn) * dy
    rough = draw_wobble(rng, 0.06, 2.2 * max(rx, ry))
    return np.asarray(np.sqrt((u / rx) ** 2 + (v / ry) ** 2) * (1 + rough(dx, dy, 0.0)), np.float32)


def _nucleus(x: Floats, y: Floats, cx: float, cy: float, r: float, label: str, rng: np.random.Generator) -> Floats:
    """Return a field that is below 1 inside the nucleus: its shape is what tells the classes apart."""
    if label == "lymphocyte":
        return _disc(x, y, cx, cy, 0.86 * r, 0.8 * r, rng)
    turn = rng.uniform(0, 2 * np.pi)
    if label == "monocyte":
        whole = _disc(x, y, cx, cy, 0.78 * r, 0.6 * r, rng)
        notch = _disc(x, y, cx + 0.6 * r * np.cos(turn), cy + 0.6 * r * np.sin(turn), 0.34 * r, 0.34 * r, rng)
        return np.asarray(np.where(notch < 1, 2, whole), np.float32)
    lobes = 2 if label == "eosinophil" else int(rng.integers(3, 6))
    field = np.full_like(x, np.inf)
    for lobe in range(lobes):
        angle = turn + lobe * (2.6 if lobes == 2 else 1.35)
        reach = (0.45 if lobes == 2 else 0.5) * r
        width = (0.42 if lobes == 2 else 0.3) * r
        field = np.minimum(
            field, _disc(x, y, cx + reach * np.cos(angle), cy + reach * np.sin(angle), width, 0.85 * width, rng)
        )
    return field


def draw_blood_phantom(seed: int, label: str, *, height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """Draw a smear with one white cell.

    Parameters
    ----------
    seed : int
    label : "eosinophil", "lymphocyte", "monocyte" or "neutrophil"

    Returns
    -------
    (height, width, 3) uint8 RGB

    Raises
    ------
    ConfigurationError
        For an unknown class.
    """
    if label not in CLASSES:
        raise ConfigurationError(f"'{label}' is no white cell class of BCCD; use one of {', '.join(CLASSES)}")
    rng = np.random.default_rng([seed, 0xBC, CLASSES.index(label)])
    unit = height / 240
    y, x = np.meshgrid(np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32), indexing="ij")
    image = np.empty((height, width, 3), np.float32)
    image[:] = np.array([206, 196, 202]) + rng.normal(0, 7, 3)
    for _ in range(int(rng.integers(12, 28))):
        radius = rng.uniform(22, 27) * unit
        cell = _disc(x, y, rng.uniform(0, width), rng.uniform(0, height), radius, radius * rng.uniform(0.85, 1), rng)
        tint = np.array([196, 152, 158]) + rng.normal(0, 6, 3)
        image[cell < 1] = tint
        image[cell < 0.4] = tint + np.array([12, 24, 22])
    radius = (
        {"lymphocyte": 30, "monocyte": 44, "eosinophil": 39, "neutrophil": 38}[label] * unit * rng.uniform(0.9, 1.12)
    )
    cx, cy = width * rng.uniform(0.28, 0.72), height * rng.uniform(0.3, 0.7)
    plasma = {
        "lymphocyte": (150, 160, 205),
        "monocyte": (172, 165, 195),
        "eosinophil": (205, 150, 150),
        "neutrophil": (196, 172, 192),
    }
    body = _disc(x, y, cx, cy, radius, radius * rng.uniform(0.9, 1), rng)
    image[body < 1] = np.array(plasma[label]) + rng.normal(0, 6, 3)
    if label == "eosinophil":
        grains = draw_wobble(rng, 1.0, 5 * unit, 10)(x, y, 0.0)
        image[(body < 0.95) & (grains > 0.5)] = (196, 104, 96)
    nucleus = _nucleus(x, y, cx, cy, radius, label, rng)
    image[(nucleus < 1) & (body < 1.05)] = np.array([112, 78, 156]) + rng.normal(0, 8, 3)
    for channel in range(3):
        image[:, :, channel] = blur(image[:, :, channel], 1.1 * unit)
    image += rng.normal(0, 4, image.shape).astype(np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def write_blood_phantoms(
    folder: Path | str, *, count: int = 10, seed: int = 0, height: int = 240, width: int = 320
) -> list[Path]:
    """Write ``count`` photographs of each class into CLASS/BloodImage_NNNNN.jpg and return the files."""
    from PIL import Image

    files = []
    for position, label in enumerate(CLASSES):
        place = Path(folder) / label.upper()
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            path = place / f"BloodImage_{number * len(CLASSES) + position:05d}.jpg"
            Image.fromarray(draw_blood_phantom(seed + number, label, height=height, width=width)).save(path, quality=88)
            files.append(path)
    return files
