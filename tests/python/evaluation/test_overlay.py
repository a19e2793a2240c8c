from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nerone.errors import ConfigurationError, ShapeError
from nerone.evaluation.overlay import OverlayRow, blend, write_overlay
from nerone.runtime.presets import preset

COLOURS = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def test_blend_paints_classes_and_leaves_background() -> None:
    image = np.array([[0, 100, 200]], np.int16)
    painted = blend(image, np.array([[0, 1, 2]]), COLOURS, opacity=0.5)
    assert painted[0, 0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(painted[0, 1], [191, 64, 64], atol=1)
    np.testing.assert_allclose(painted[0, 2], [128, 128, 255], atol=1)


def test_blend_refuses_what_does_not_fit() -> None:
    with pytest.raises(ShapeError):
        blend(np.zeros((3, 3)), np.zeros((2, 3), int), COLOURS)
    with pytest.raises(ConfigurationError, match="class 3"):
        blend(np.zeros((1, 1)), np.array([[3]]), COLOURS)


def test_picture_has_a_column_per_mask_and_the_colours(tmp_path: Path) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 2
    rows = [OverlayRow(np.zeros((40, 40), np.int16), {"ground truth": mask, "INT8": mask}, "slice 1")] * 2
    path = write_overlay(tmp_path / "a" / "o.png", rows, class_names=("none", "a", "b"), colours=COLOURS)
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    blue = (picture == [0, 0, 140]).all(axis=-1)
    columns = np.flatnonzero(blue.sum(axis=0) > 20)
    assert len(np.flatnonzero(np.diff(columns) > 20)) == 1, "two painted columns, the input is not painted"


def test_rows_with_other_columns_are_refused(tmp_path: Path) -> None:
    image, mask = np.zeros((4, 4)), np.zeros((4, 4), int)
    with pytest.raises(ConfigurationError):
        write_overlay(tmp_path / "o.png", [], class_names=("x",), colours=COLOURS[:1])
    rows = [OverlayRow(image, {"a": mask}), OverlayRow(image, {"b": mask})]
    with pytest.raises(ConfigurationError):
        write_overlay(tmp_path / "o.png", rows, class_names=("x",), colours=COLOURS[:1])


def test_preset_colours_stay_apart_for_the_colour_blind() -> None:
    # Simulation of deuteranopia and protanopia: Viénot, Brettel and Mollon 1999, on linear RGB.
    matrices = {
        "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    }
    for name in ("ct-org", "brats", "prostate-3t", "bccd"):
        colours = np.asarray(preset(name).colours, float)
        linear = (colours / 255) ** 2.2
        for matrix in matrices.values():
            seen = np.clip(linear @ np.asarray(matrix).T, 0, 1) ** (1 / 2.2) * 255
            distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
            assert distances[~np.eye(len(seen), dtype=bool)].min() > 25
