"""Masks go back to the pixels they came from."""

from __future__ import annotations

import numpy as np
import pytest

from nerone.bundle.checks import check_fit
from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import CropOrPad, Preprocessing, Resample, Resize, Window
from nerone.runtime.preprocessing.image_grid import on_image_grid
from nerone.runtime.preprocessing.network_grid import labels_on_grid


def blocks(height, width, seed):
    """Labels in blocks of four pixels, so that nearest neighbours survive a change of grid."""
    coarse = np.random.default_rng(seed).integers(0, 5, (-(-height // 4), -(-width // 4)))
    return np.repeat(np.repeat(coarse, 4, 0), 4, 1)[:height, :width].astype(np.uint8)


def test_same_grid_is_unchanged():
    mask = blocks(16, 24, 0)
    np.testing.assert_array_equal(on_image_grid(Preprocessing((Window(0, 1),)), mask, (16, 24)), mask)


def test_an_enlarged_image_comes_back_exactly():
    steps = Preprocessing((Resize(48, 60),))
    labels = blocks(16, 20, 1)
    np.testing.assert_array_equal(on_image_grid(steps, labels_on_grid(steps, labels), (16, 20)), labels)


def test_padding_comes_back_exactly_and_a_crop_loses_the_border():
    labels = blocks(15, 22, 2)
    steps = Preprocessing((CropOrPad(32, 40),))
    np.testing.assert_array_equal(on_image_grid(steps, labels_on_grid(steps, labels), (15, 22)), labels)
    steps = Preprocessing((CropOrPad(9, 12),))
    back = on_image_grid(steps, labels_on_grid(steps, labels), (15, 22), outside=9)
    np.testing.assert_array_equal(back[3:12, 5:17], labels[3:12, 5:17])
    assert (back[:3] == 9).all()
    assert (back[:, 17:] == 9).all()


def test_the_ct_chain_comes_back_nearly():
    steps = Preprocessing((Resample(0.557), CropOrPad(512, 512), Resize(256, 256)))
    labels = np.kron(blocks(64, 64, 3), np.ones((5, 5), np.uint8))
    back = on_image_grid(steps, labels_on_grid(steps, labels, spacing_mm=0.8), labels.shape, spacing_mm=0.8)
    assert np.mean(back == labels) > 0.9


def test_a_coarser_output_is_spread(tmp_path):
    steps = Preprocessing((Resize(8, 8),))
    mask = np.arange(16, dtype=np.uint8).reshape(4, 4)
    np.testing.assert_array_equal(on_image_grid(steps, mask, (8, 8)), np.kron(mask, np.ones((2, 2), np.uint8)))


def test_an_output_that_covers_more_than_the_input_is_refused():
    output = OutputDeclaration("segmentation", ("no", "yes"), ((0, 0, 0), (9, 9, 9)), (), (9, 6))
    tensors = [TensorDeclaration("", (1, 8, 8, channels), None) for channels in (1, 2)]
    with pytest.raises(ConfigurationError, match=r"covers \[9, 6\]"):
        check_fit(Preprocessing((Resize(8, 8),)), *tensors, output)
    with pytest.raises(ConfigurationError, match="rows and columns"):
        OutputDeclaration("segmentation", ("no",), ((0, 0, 0),), (), (9,))


@pytest.mark.parametrize("size", [(1, 1), (3, 200)])
def test_odd_sizes(size):
    steps = Preprocessing((Resize(16, 16),))
    assert on_image_grid(steps, np.ones((16, 16), np.uint8), size).shape == size


@pytest.mark.parametrize(("covers", "step"), [((22, 20), 1), ((21, 19), 1), ((20, 24), 2)])
def test_a_mask_of_the_middle_comes_back_to_the_middle(covers, step):
    labels = blocks(44, 44, 4)
    steps = Preprocessing(())
    seen = labels_on_grid(steps, labels, covers=covers)
    assert seen.shape == covers
    back = on_image_grid(steps, seen[::step, ::step], (44, 44), covers=covers, outside=9)
    top, left = (44 - covers[0]) // 2, (44 - covers[1]) // 2
    middle = np.s_[top : top + covers[0], left : left + covers[1]]
    assert np.mean(back[middle] == labels[middle]) >= (1.0 if step == 1 else 0.7)
    back[middle] = 9
    assert (back == 9).all()
