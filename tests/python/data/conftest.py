"""Small data sets in the true layouts, made of phantoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.files import write_nifti
from nerone.data.phantoms import draw_ct_phantom


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the folder of real scans {folder} is not there")
    return folder


@pytest.fixture
def ct_folder(tmp_path: Path) -> Path:
    """Two CT-ORG cases; the second has float labels, -3024 padding and one slice with brain."""
    first = draw_ct_phantom(1, size=48, slices=5)
    second = draw_ct_phantom(2, size=48, slices=5)
    volume, labels = second.volume.copy(), second.labels.astype(np.float64) - 7e-10
    volume[:4] = -3024
    labels[20:24, 20:24, 4] = 5.9999999993
    for number, array, ids, affine in (
        (0, first.volume, first.labels, first.affine),
        (7, volume, labels, second.affine),
    ):
        write_nifti(tmp_path / f"volume-{number}.nii.gz", array, affine)
        write_nifti(tmp_path / f"labels-{number}.nii.gz", ids, affine)
    return tmp_path
