from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from data.files import write_nifti, write_picture
from nerone.data.sources import frames
from nerone.data.writers import write_masks
from nerone.errors import ConfigurationError, ShapeError
from nerone.runtime.preprocessing.network_grid import labels_on_grid
from nerone.runtime.preprocessing.numpy_geometry import restore_mask
from nerone.runtime.presets import preset


def test_volume_masks_keep_affine_and_order(tmp_path: Path) -> None:
    affine = np.array([[-0.7, 0, 0, 10], [0, 0.9, 0, -20], [0, 0, 2.5, 30], [0, 0, 0, 1]])
    write_nifti(tmp_path / "in" / "sub" / "scan.nii.gz", np.arange(60, dtype=np.int16).reshape(4, 5, 3), affine)
    found = frames(tmp_path / "in")
    masks = ((frame, (frame.image % 6).astype(np.uint8)) for frame in found)
    (path,) = write_masks(masks, tmp_path / "out", root=tmp_path / "in")
    assert path == tmp_path / "out" / "sub" / "scan_mask.nii.gz"
    image = nibabel.load(path)
    np.testing.assert_allclose(image.affine, affine)
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj), np.arange(60).reshape(4, 5, 3) % 6)


def test_picture_masks_are_png(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", np.zeros((6, 8, 3), np.uint8))
    mask = np.arange(48, dtype=np.uint8).reshape(6, 8)
    (path,) = write_masks(((frame, mask) for frame in frames(tmp_path / "a.jpg")), tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), mask)


def test_mask_of_another_size_and_clash_of_names(tmp_path: Path) -> None:
    for sub in ("x", "y"):
        write_picture(tmp_path / sub / "a.png", np.zeros((6, 8), np.uint8))
    with pytest.raises(ShapeError, match=r"a\.png"):
        write_masks(((f, np.zeros((3, 3), np.uint8)) for f in frames(tmp_path)), tmp_path / "out")
    with pytest.raises(ConfigurationError, match="two sources"):
        write_masks(((f, np.zeros((6, 8), np.uint8)) for f in frames(tmp_path)), tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "spacing"), [("ct-org", (0.9, 0.9)), ("ct-org", (3.0, 3.0)), ("prostate-3t", (0.5, 0.5))]
)
def test_labels_follow_the_image_to_the_network_and_back(name: str, spacing: tuple[float, float]) -> None:
    steps = preset(name).preprocessing
    rows, columns = np.mgrid[:180, :200]
    labels = np.digitize(-np.hypot(rows - 95, columns - 90), (-30, -15)).astype(np.uint8)
    there = labels_on_grid(steps, labels, spacing_mm=spacing)
    assert there.shape == steps.output_shape(180, 200, spacing_mm=spacing)[:2]
    back = restore_mask(steps, there, 180, 200, spacing_mm=spacing)
    for c in (1, 2):
        dice = 2 * ((back == c) & (labels == c)).sum() / ((back == c).sum() + (labels == c).sum())
        assert dice > 0.97
