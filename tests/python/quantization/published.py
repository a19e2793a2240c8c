"""Where the published models and real scans lie, and the scans as the prostate networks want them."""

from __future__ import annotations

import numpy as np
import pytest

from paths import GOLDEN, SHARED

PROSTATE = SHARED / "data" / "prostate_prostatex" / "ProstateX"

needs_golden = pytest.mark.skipif(not (GOLDEN / "h5").is_dir(), reason="the published models are not here")
needs_scans = pytest.mark.skipif(not PROSTATE.is_dir(), reason="the real prostate scans are not here")


def prostate_slices():
    """Return all slices of both scans as (N, 256, 256, 1) float32 in [0, 1]."""
    pydicom = pytest.importorskip("pydicom")
    ndimage = pytest.importorskip("scipy.ndimage")
    slices = []
    for folder in sorted({path.parent for path in PROSTATE.rglob("*.dcm")}):
        frames = sorted(map(pydicom.dcmread, folder.glob("*.dcm")), key=lambda one: float(one.ImagePositionPatient[2]))
        for frame in frames:
            pixels = ndimage.zoom(frame.pixel_array.astype(np.float32), float(frame.PixelSpacing[0]) / 0.625, order=1)
            edge = (pixels.shape[0] - 256) // 2
            pixels = pixels[edge : edge + 256, edge : edge + 256]
            low, high = np.percentile(pixels, [1, 99])
            slices.append(np.clip((pixels - low) / (high - low), 0, 1))
    return np.stack(slices)[..., None].astype(np.float32)


def dice(one, other, classes):
    """Dice of every class between two label images."""
    return [
        2 * np.sum((one == label) & (other == label)) / max(1, np.sum(one == label) + np.sum(other == label))
        for label in range(classes)
    ]
