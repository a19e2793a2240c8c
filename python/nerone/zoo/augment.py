"""The published augmentation of the blood cell images, and flips for segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["affine_warp", "augment_blood", "augment_segmentation"]

ROTATION_DEG = 20.0
SHIFT = 0.1
# The published recipe gives 0.2 to Keras' ImageDataGenerator, whose shear_range is an angle in degrees: hardly a shear,
# but what the published networks were trained with.
SHEAR_DEG = 0.2

Floats = NDArray[np.float32]


def affine_warp(image: Floats, matrix: NDArray[np.float64], *, fill: float = 0.0) -> Floats:
    """Move an image: result(p) = image(matrix p), bilinear, p = (row, column, 1) counted from the image's middle.

    Parameters
    ----------
    image : (H, W, C) float32
    matrix : (2, 3) float64
    fill : float, value of what comes from outside
    """
    height, width = image.shape[:2]
    rows, columns = np.meshgrid(np.arange(height) - height / 2 + 0.5, np.arange(width) - width / 2 + 0.5, indexing="ij")
    y = (matrix[0, 0] * rows + matrix[0, 1] * columns + matrix[0, 2] + height / 2 - 0.5).astype(np.float32)
    x = (matrix[1, 0] * rows + matrix[1, 1] * columns + matrix[1, 2] + width / 2 - 0.5).astype(np.float32)
    wide = np.pad(image, ((1, 2), (1, 2), (0, 0)), constant_values=np.float32(fill))
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    top, left = y.astype(np.int32), x.astype(np.int32)
    down, right = (y - top)[..., None], (x - left)[..., None]
    above = wide[top, left] * (1 - right) + wide[top, left + 1] * right
    below = wide[top + 1, left] * (1 - right) + wide[top + 1, left + 1] * right
    return np.asarray(above * (1 - down) + below * down, np.float32)


def augment_blood(
    image: Floats, truth: NDArray[np.uint8], rng: np.random.Generator, *, plain: float = 0.0
) -> tuple[Floats, NDArray[np.uint8]]:
    """Draw a copy by the published recipe: rotation 20 degrees, shifts 0.1, shear 0.2 degrees, flips, black outside.

    Parameters
    ----------
    image : (H, W, 3) float32
    truth : class id, returned unchanged
    plain : float, share of the copies that are only flipped, and so have no black borders, as images in use have none
    """
    if not plain or rng.random() >= plain:
        image = _moved(image, rng)
    for axis in (0, 1):
        if rng.random() < 0.5:
            image = np.flip(image, axis)
    return image, truth


def _moved(image: Floats, rng: np.random.Generator) -> Floats:
    turn, shear = np.deg2rad(rng.uniform(-ROTATION_DEG, ROTATION_DEG)), np.deg2rad(rng.uniform(-SHEAR_DEG, SHEAR_DEG))
    down, right = rng.uniform(-SHIFT, SHIFT) * image.shape[0], rng.uniform(-SHIFT, SHIFT) * image.shape[1]
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    shift = np.array([[1, 0, down], [0, 1, right], [0, 0, 1]])
    slant = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    return affine_warp(image, (rotation @ shift @ slant)[:2])


def augment_segmentation(
    image: Floats, truth: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Floats, NDArray[np.uint8]]:
    """Flip at random along both axes and vary gain and offset a little; truth moves with the image.

    Parameters
    ----------
    image : (H, W, C) float32
    truth : (H, W) uint8 class ids
    """
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, truth = np.flip(image, axis), np.flip(truth, axis)
    return image * np.float32(rng.uniform(0.97, 1.03)) + np.float32(rng.normal(0, 0.012)), truth
