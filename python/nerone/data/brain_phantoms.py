"""Brain phantoms with a glioma: four registered MR modalities and labels in BraTS's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.data.anatomy import Floats, draw_wobble
from nerone.data.brats import MODALITIES
from nerone.data.phantoms import blur
from nerone.errors import ConfigurationError

__all__ = ["BrainPhantom", "draw_brain_phantom", "write_brain_phantoms"]

# Levels of: cerebrospinal fluid, grey matter, white matter, necrotic core, oedema, enhancing tumour.
_LEVELS = {
    "flair": (90, 420, 350, 380, 780, 640),
    "t1": (120, 360, 480, 230, 320, 380),
    "t1ce": (120, 380, 500, 240, 340, 880),
    "t2": (900, 480, 380, 760, 720, 560),
}
_IDS = np.array([0, 0, 0, 0, 1, 2, 4], np.uint8)


@dataclass(frozen=True)
class BrainPhantom:
    """A drawn head without its skull.

    Attributes
    ----------
    modalities : (4, X, Y, Z) int16, in the order flair, t1, t1ce, t2; 0 outside the brain
    labels : (X, Y, Z) uint8, BraTS ids 0, 1, 2, 4
    """

    modalities: NDArray[np.int16]
    labels: NDArray[np.uint8]


def _tissue(x: Floats, y: Floats, z: float, rng_seed: int) -> NDArray[np.int64]:
    """Return 0 outside, 1 fluid, 2 grey matter, 3 white matter, 4 core, 5 oedema, 6 enhancing, at (N,) points in mm."""
    rng = np.random.default_rng([rng_seed, 0xB0])
    radii = np.array([68, 84, 62]) * rng.uniform(0.92, 1.08, 3)
    folds, surface = draw_wobble(rng, 0.07, 22, 8), draw_wobble(rng, 0.03, 60)
    depth = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2) * (1 + surface(x, y, z))
    tissue = np.where(depth < 1, 2, 0)
    tissue[depth + folds(x, y, z) < 0.82] = 3
    tissue[(depth > 0.9) & (depth < 1) & (folds(x, y, z) > 0.055)] = 1
    for side in (-1, 1):
        ventricle = ((x - side * 13) / 9) ** 2 + ((y - 4) / 34) ** 2 + ((z - 8) / 14) ** 2
        tissue[(ventricle < 1) & (depth < 1)] = 1
    centre = rng.uniform(-0.5, 0.5, 3) * radii
    size, edge = rng.uniform(17, 30), draw_wobble(rng, 0.25, 35)
    stretch = rng.uniform(0.8, 1.3, 3)
    offset = [(p - c) * s for p, c, s in zip((x, y, np.float32(z)), centre, stretch, strict=True)]
    distance = np.sqrt(offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2) / size * (1 + edge(x, y, z))
    inside = (depth < 0.99) & (tissue > 0)
    tissue[inside & (distance < 1)] = 5
    tissue[inside & (distance < 0.62)] = 6
    tissue[inside & (distance < rng.uniform(0.35, 0.5))] = 4
    return np.asarray(tissue, np.int64)


def draw_brain_phantom(seed: int, *, size: int = 240, slices: int = 155, voxel_mm: float = 1.0) -> BrainPhantom:
    """Draw a brain with a tumour.

    Parameters
    ----------
    seed : int, the same seed gives the same volumes
    size, slices : int, voxels across and along; BraTS has 240 and 155
    voxel_mm : float

    Raises
    ------
    ConfigurationError
        If the volume would be empty.
    """
    if size < 16 or slices < 1:
        raise ConfigurationError(f"a phantom of {size}x{size}x{slices} voxels is too small; use at least 16x16x1")
    rng = np.random.default_rng([seed, 0xB1])
    place = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(voxel_mm)
    x, y = (axis.ravel() for axis in np.meshgrid(place, place, indexing="ij"))
    gains, noise = rng.uniform(0.7, 1.6, 4), rng.uniform(10, 30)
    shades = [draw_wobble(rng, 0.08, 180) for _ in MODALITIES]
    modalities = np.zeros((4, size, size, slices), np.int16)
    labels = np.zeros((size, size, slices), np.uint8)
    heights = (np.arange(slices) - (slices - 1) / 2) * voxel_mm * (155 / slices if slices < 155 else 1)
    for index, z in enumerate(heights):
        tissue = _tissue(x, y, float(z), seed)
        labels[:, :, index] = _IDS[tissue].reshape(size, size)
        for channel, kind in enumerate(MODALITIES):
            level = np.array((0, *_LEVELS[kind]), np.float32)[tissue] * (1 + shades[channel](x, y, float(z)))
            image = blur((level * np.float32(gains[channel])).reshape(size, size), 0.8)
            image += rng.normal(0, noise, (size, size)).astype(np.float32)
            modalities[channel, :, :, index] = np.where(
                tissue.reshape(size, size) > 0, np.maximum(np.rint(image), 1), 0
            )
    return BrainPhantom(modalities, labels)


def write_brain_phantoms(
    folder: Path | str, *, count: int = 1, seed: int = 0, size: int = 240, slices: int = 155
) -> list[Path]:
    """Write cases ``Phantom_N/Phantom_N_{flair,t1,t1ce,t2,seg}.nii.gz`` and return their folders."""
    import nibabel

    voxel_mm = 240 / max(size, 1)
    folders = []
    for number in range(count):
        phantom = draw_brain_phantom(seed + number, size=size, slices=slices, voxel_mm=voxel_mm)
        case = Path(folder) / f"Phantom_{number:05d}"
        case.mkdir(parents=True, exist_ok=True)
        affine = np.diag([-voxel_mm, -voxel_mm, 155 / min(slices, 155), 1.0])
        for kind, array in (*zip(MODALITIES, phantom.modalities, strict=True), ("seg", phantom.labels)):
            image = nibabel.Nifti1Image(array, affine)
            image.header.set_xyzt_units("mm")
            nibabel.save(image, case / f"{case.name}_{kind}.nii.gz")
        folders.append(case)
    return folders
