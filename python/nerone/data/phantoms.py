"""CT phantoms: volumes of drawn patients as a scanner would have stored them, in CT-ORG's layout and label ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.anatomy import Floats, Part, Trunk, draw_wobble
from nerone.data.trunk import draw_trunk
from nerone.errors import ConfigurationError

__all__ = ["AIR_HU", "CtPhantom", "draw_ct_phantom", "paint_slice", "write_ct_phantoms"]

AIR_HU = -1000.0
_LOWEST_HU, _HIGHEST_HU = -1024.0, 3071.0


@dataclass(frozen=True)
class CtPhantom:
    """A drawn CT volume.

    Attributes
    ----------
    volume : (X, Y, Z) int16, Hounsfield units
    labels : (X, Y, Z) uint8, CT-ORG ids: 0 background, 1 liver, 2 bladder, 3 lungs, 4 kidneys, 5 bone
    affine : (4, 4) float64, voxel index to millimetres, right-anterior-superior (NIfTI)
    """

    volume: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class _Scanner:
    """How one patient was scanned."""

    spacing_mm: tuple[float, float, float]
    flips: tuple[bool, bool]
    centre_mm: tuple[float, float]
    heights_mm: tuple[float, ...]
    noise_hu: float
    blur_px: float
    table_mm: float | None
    table_hu: float
    turn: float
    circle: bool


def blur(image: Floats, sigma: float) -> Floats:
    """Blur an (H, W) image with a Gaussian of ``sigma`` pixels, edges repeated."""
    if sigma < 0.15:
        return image
    radius = max(1, int(np.ceil(2.5 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(radius, radius) if a == axis else (0, 0) for a in (0, 1)]
        wide = np.pad(image, pad, mode="edge")
        size = image.shape[axis]
        image = np.asarray(
            sum(w * np.take(wide, np.arange(k, k + size), axis=axis) for k, w in enumerate(weights)), np.float32
        )
    return image


def _near(part: Part, x: Floats, y: Floats, z: float) -> NDArray[np.intp] | None:
    if abs(z - part.centre[2]) > part.reach:
        return None
    close = (np.abs(x - np.float32(part.centre[0])) < part.reach) & (
        np.abs(y - np.float32(part.centre[1])) < part.reach
    )
    index = np.flatnonzero(close)
    return index if index.size else None


def _paint_body(trunk: Trunk, x: Floats, y: Floats, z: float, hu: Floats) -> NDArray[np.bool_]:
    width, depth, fat = trunk.half_width(z), trunk.half_depth(z), trunk.fat_mm(z)
    power = np.float32(2.35)
    radius = (np.abs(x / np.float32(width)) ** power + np.abs(y / np.float32(depth)) ** power) ** (1 / power)
    inward = (1 - radius) * np.float32(np.sqrt(width * depth))
    # Fat is thickest at the flanks and the back, thinnest along the front's midline.
    layer = fat * (1 + np.float32(0.25) * np.tanh(y / 60) + np.float32(0.06) * trunk.tissue(x, y, z))
    inside = inward > 0
    muscle = (inward > layer) & (inward <= layer + trunk.muscle_mm)
    hu[inside] = trunk.hu_fat
    hu[muscle] = trunk.hu_muscle
    hu[inside & (inward < 2)] = 10
    if trunk.arms:
        for side in (-1, 1):
            arm = np.hypot(x - side * np.float32(width + 45), y - 10)
            hu[(arm < 42) & ~inside] = trunk.hu_fat
            hu[(arm < 33) & ~inside] = trunk.hu_muscle
            inside |= arm < 42
    return np.asarray(inside)


def paint_slice(
    trunk: Trunk, x: Floats, y: Floats, z: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.uint8]]:
    """Paint one axial slice of a patient, without noise.

    Parameters
    ----------
    trunk : Trunk
    x, y : (N,) float32, positions of the pixels in the patient's frame, mm
    z : float, height in mm
    rng : source of the parts' mottle

    Returns
    -------
    hu : (N,) float32
    labels : (N,) uint8
    """
    hu = np.full(x.shape, AIR_HU, np.float32)
    labels = np.zeros(x.shape, np.uint8)
    inside = _paint_body(trunk, x, y, z, hu)
    bent_x, bent_y = x + trunk.bend[0](x, y, z), y + trunk.bend[1](x, y, z)
    inside_index = np.flatnonzero(inside)
    px, py = bent_x[inside_index], bent_y[inside_index]
    mottle = rng.standard_normal(x.shape, dtype=np.float32)
    for part in trunk.parts:
        near = _near(part, px, py, z)
        if near is None:
            continue
        hit = inside_index[near[part.region(px[near], py[near], z) < 1]]
        hu[hit] = part.hu + part.grain * mottle[hit] if part.grain else part.hu
        labels[hit] = part.label
    if trunk.arms:
        for side in (-1, 1):
            bone = np.hypot(x - side * np.float32(trunk.half_width(z) + 45), y - 10)
            hu[bone < 11], hu[bone < 6] = 700, 150
            labels[bone < 11] = 5
    return hu, labels


def _draw_scanner(rng: np.random.Generator, trunk: Trunk, size: int, slices: int, slice_mm: float | None) -> _Scanner:
    field = float(np.clip(2.1 * max(trunk.half_width(0), trunk.half_width(120)) * rng.uniform(0.9, 1.6), 280, 520))
    aspect = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.78, 1.25))
    low, high = -200.0, 400.0
    if slice_mm is None:
        span = float(rng.uniform(0.45, 1.0)) * (high - low)
        slice_mm = span / slices
    start = float(rng.uniform(low, max(high - slice_mm * slices, low + 1)))
    table = None if rng.random() < 0.15 else float(trunk.half_depth(50) + rng.uniform(-4, 14))
    flips = (bool(rng.random() < 0.5), bool(rng.random() < 0.85))
    centre = (float(rng.normal(0, 8)), float(rng.normal(0, 22)))
    noise, blur_px, table_hu = (
        float(rng.gamma(3.0, 6.0) + 4),
        float(rng.uniform(0.5, 1.3)),
        float(rng.uniform(-350, 250)),
    )
    return _Scanner(
        spacing_mm=(field / size, field / size * aspect, slice_mm),
        flips=flips,
        centre_mm=centre,
        heights_mm=tuple(start + slice_mm * index for index in range(slices)),
        noise_hu=noise,
        blur_px=blur_px * size / 256,
        table_mm=table,
        table_hu=table_hu,
        turn=float(rng.normal(0, 0.05)),
        circle=bool(rng.random() < 0.4),
    )


def _table(x: Floats, y: Floats, top_mm: float, shell_hu: float, hu: Floats) -> None:
    surface = top_mm - 0.0012 * x * x
    under = y - surface
    wide = np.abs(x) < 215
    hu[(under > 0) & (under < 3.5) & wide & (hu < -500)] = shell_hu
    hu[(under > 3.5) & (under < 38) & wide & (hu < -500)] = -930
    hu[(under > 38) & (under < 42) & wide & (hu < -500)] = shell_hu - 60


def draw_ct_phantom(seed: int, *, size: int = 256, slices: int = 64, slice_mm: float | None = None) -> CtPhantom:
    """Draw a patient and scan it.

    Parameters
    ----------
    seed : int, the same seed gives the same volume
    size : int, rows and columns
    slices : int
    slice_mm : float or None, distance of the slices; None draws one so that the slices span half to all of the trunk

    Raises
    ------
    ConfigurationError
        If the volume would be empty.
    """
    if size < 16 or slices < 1:
        raise ConfigurationError(f"a phantom of {size}x{size}x{slices} voxels is too small; use at least 16x16x1")
    rng = np.random.default_rng([seed, 0xC7])
    trunk = draw_trunk(seed)
    scanner = _draw_scanner(rng, trunk, size, slices, slice_mm)
    sx, sy, sz = scanner.spacing_mm
    across = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(sx) + np.float32(scanner.centre_mm[0])
    along = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(sy) + np.float32(scanner.centre_mm[1])
    across = -across if scanner.flips[0] else across
    along = -along if scanner.flips[1] else along
    grid_x, grid_y = (g.ravel() for g in np.meshgrid(across, along, indexing="ij"))
    cos, sin = np.float32(np.cos(scanner.turn)), np.float32(np.sin(scanner.turn))
    x, y = cos * grid_x - sin * grid_y, sin * grid_x + cos * grid_y
    volume = np.empty((size, size, slices), np.int16)
    labels = np.empty((size, size, slices), np.uint8)
    shade = draw_wobble(rng, float(rng.uniform(0, 6)), 220)
    outside = np.hypot(grid_x, grid_y) > max(sx, sy) * size / 2 if scanner.circle else None
    for index, z in enumerate(scanner.heights_mm):
        hu, label = paint_slice(trunk, x, y, z, rng)
        if scanner.table_mm is not None:
            _table(grid_x, grid_y, scanner.table_mm, scanner.table_hu, hu)
        hu += shade(grid_x, grid_y, z)
        image = blur(hu.reshape(size, size), scanner.blur_px)
        # Reconstruction noise is correlated over about a pixel.
        noise = blur(rng.standard_normal((size, size), dtype=np.float32), 0.7) * np.float32(2.4 * scanner.noise_hu)
        image = np.clip(image + noise, _LOWEST_HU, _HIGHEST_HU)
        if outside is not None:
            image[outside.reshape(size, size)] = _LOWEST_HU
        volume[:, :, index] = np.rint(image)
        labels[:, :, index] = label.reshape(size, size)
    # NIfTI's x grows to the right and y to the front: both against the patient's frame here.
    affine = np.diag([sx if scanner.flips[0] else -sx, sy if scanner.flips[1] else -sy, sz, 1.0])
    affine[:3, 3] = (-across[0], -along[0], scanner.heights_mm[0])
    return CtPhantom(volume, labels, affine)


def write_ct_phantoms(
    folder: Path | str,
    *,
    count: int = 1,
    seed: int = 0,
    size: int = 256,
    slices: int = 64,
    slice_mm: float | None = None,
) -> list[Path]:
    """Write ``volume-N.nii.gz`` and ``labels-N.nii.gz`` for N from 0, as in CT-ORG, and return the volumes' paths."""
    import nibabel

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        phantom = draw_ct_phantom(seed + number, size=size, slices=slices, slice_mm=slice_mm)
        for kind, array in (("labels", phantom.labels), ("volume", phantom.volume)):
            image = nibabel.Nifti1Image(array, phantom.affine)
            image.header.set_xyzt_units("mm")
            path = folder / f"{kind}-{number}.nii.gz"
            nibabel.save(image, path)
        paths.append(path)
    return paths
