"""The numpy statement of the preprocessing: against OpenCV, scipy's definitions, and by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nerone.errors import ConfigurationError, DtypeError, ShapeError
from nerone.runtime.preprocessing import (
    Channels,
    Clip,
    CropOrPad,
    Grey,
    Percentile,
    Preprocessing,
    Resample,
    Resize,
    ScaleOffset,
    Statistics,
    Window,
    ZScore,
)
from nerone.runtime.preprocessing.numpy_geometry import crop_or_pad, restore_mask
from nerone.runtime.preprocessing.numpy_steps import apply, quantize, volume_statistics

cv2 = pytest.importorskip("cv2")
OPENCV = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
SIZES = [
    (8, 8, 8, 8),
    (8, 8, 16, 16),
    (512, 512, 256, 256),
    (240, 320, 200, 250),
    (7, 11, 13, 3),
    (1, 1, 5, 4),
    (5, 4, 1, 1),
]


def rng() -> np.random.Generator:
    return np.random.default_rng(20260730)


@pytest.mark.parametrize("method", OPENCV)
@pytest.mark.parametrize("size", [*SIZES, (100, 37, 99, 61), (64, 64, 21, 128), (97, 101, 31, 50)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_gives_the_pixels_of_opencv(method, size, channels):
    height, width, new_height, new_width = size
    image = rng().normal(0, 300, (height, width, channels)).astype(np.float32)
    expected = cv2.resize(image, (new_width, new_height), interpolation=OPENCV[method]).reshape(
        new_height, new_width, channels
    )
    got = apply(Preprocessing((Resize(new_height, new_width, method),)), image)
    np.testing.assert_allclose(got, expected, rtol=0, atol=0 if method == "nearest" else 0.06)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32"])
def test_every_dtype_enters_as_float32(dtype):
    image = np.array([[0, 1], [100, 127]], dtype)
    got = apply(Preprocessing(()), image)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[:, :, 0], image.astype(np.float32))


def test_nan_is_zero_and_infinities_saturate():
    image = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    got = apply(Preprocessing((Window(-10, 30, to=(0, 1)),)), image)
    np.testing.assert_array_equal(got.ravel(), np.array([0.25, 1, 0], np.float32))
    for method in OPENCV:
        resized = apply(Preprocessing((Resize(5, 7, method), ZScore())), image)
        assert np.isfinite(resized).all()


@pytest.mark.parametrize("old", [(5, 8), (6, 6), (9, 3)])
@pytest.mark.parametrize("new", [(6, 6), (5, 9), (3, 2)])
def test_crop_or_pad_keeps_the_middle_and_goes_back(old, new):
    image = rng().integers(1, 100, old).astype(np.int16)
    step = CropOrPad(*new, value=-7)
    got = apply(Preprocessing((step,)), image)[:, :, 0]
    common = tuple(min(a, b) for a, b in zip(old, new, strict=True))
    assert (got != -7).sum() == common[0] * common[1]
    back = restore_mask(Preprocessing((step,)), got.astype(np.int16), *old, outside=-1)
    np.testing.assert_array_equal(back[back != -1], image[back != -1])
    assert (back != -1).sum() == common[0] * common[1]
    np.testing.assert_array_equal(crop_or_pad(got, old, 0).shape, old)


def test_percentile_is_numpys():
    image = rng().normal(100, 50, (31, 45, 2)).astype(np.float32)
    image[:7] = 0
    for nonzero in (False, True):
        got = apply(Preprocessing((Percentile(1, 99, to=(0, 1), nonzero=nonzero),)), image)
        for channel in range(2):
            x = image[:, :, channel].astype(np.float64)
            low, high = np.percentile(x[x != 0] if nonzero else x, [1, 99])
            np.testing.assert_allclose(got[:, :, channel], (np.clip(x, low, high) - low) / (high - low), atol=1e-5)


def test_z_score_of_nonzero_voxels_leaves_the_background():
    image = rng().normal(1000, 50, (33, 47)).astype(np.float32)
    image[:10] = 0
    got = apply(Preprocessing((ZScore(nonzero=True),)), image)[:, :, 0]
    assert (got[:10] == 0).all()
    assert abs(got[10:].mean()) < 1e-4
    assert abs(got[10:].std() - 1) < 1e-4


def test_constant_images_have_a_result():
    image = np.full((4, 5), 7, np.int16)
    assert (apply(Preprocessing((ZScore(),)), image) == 0).all()
    assert (apply(Preprocessing((Percentile(1, 99, to=(-1, 1)),)), image) == -1).all()
    assert (apply(Preprocessing((Percentile(1, 99, to=(-1, 1), nonzero=True),)), image * 0) == -1).all()


@pytest.mark.parametrize("step", [Percentile(None, 99.9, scope="volume", nonzero=True), ZScore(scope="volume")])
def test_volume_statistics_are_those_of_all_slices(step):
    volume = rng().integers(-50, 900, (6, 20, 30, 4)).astype(np.int16)
    steps = Preprocessing((Clip(low=0), step))
    statistics = volume_statistics(steps, volume)
    tall = apply(steps, volume.reshape(-1, 30, 4))
    slices = [apply(steps, image, statistics=statistics) for image in volume]
    np.testing.assert_array_equal(np.concatenate(slices), tall)
    planes = [volume[2, :, :, c] for c in range(4)]
    np.testing.assert_array_equal(apply(steps, planes, statistics=statistics), slices[2])


def test_channels_and_grey():
    image = rng().integers(0, 255, (5, 6, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        apply(Preprocessing((Channels(3, (2, 1, 0)),)), image), image[:, :, ::-1].astype(np.float32)
    )
    grey = apply(Preprocessing((Grey(),)), image)[:, :, 0]
    np.testing.assert_allclose(grey, cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY), atol=1e-3)


def test_quantize_rounds_half_up_and_saturates():
    values = np.array([-1.5, -0.5, 0.5, 1.5, 126.5, 127.4, 500, -500, np.nan, np.inf, -np.inf, 0.49999997], np.float32)
    expected = [-1, 0, 1, 2, 127, 127, 127, -128, 0, 127, -128, 1]
    np.testing.assert_array_equal(quantize(values, 0), np.array(expected, np.int8))
    assert quantize([0.5], 6)[0] == 32
    assert quantize([256.0], -2)[0] == 64


def test_resample_uses_the_spacing_or_leaves_the_image():
    image = rng().normal(size=(100, 80)).astype(np.float32)
    steps = Preprocessing((Resample(0.5),))
    assert apply(steps, image, spacing_mm=(1.0, 0.25)).shape == (200, 40, 1)
    np.testing.assert_array_equal(apply(steps, image)[:, :, 0], image)
    assert steps.output_shape(100, 80, spacing_mm=1.0) == (200, 160, 1)


@pytest.mark.parametrize("scale", [2, 3])
def test_restore_mask_finds_the_nearest_pixel(scale):
    mask = rng().integers(0, 6, (24, 36)).astype(np.uint8)
    back = restore_mask(Preprocessing((Resize(24, 36),)), mask, 24 * scale, 36 * scale)
    np.testing.assert_array_equal(back, np.repeat(np.repeat(mask, scale, 0), scale, 1))
    smaller = restore_mask(Preprocessing((Resize(48, 72),)), mask, 24, 36)
    np.testing.assert_array_equal(smaller, mask)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 3))
@settings(max_examples=60, deadline=None)
def test_restore_mask_covers_the_original_grid(height, width, new_height, new_width, spacing):
    steps = Preprocessing((Resample(1.0, "bilinear"), CropOrPad(new_height, new_width), Resize(17, 9)))
    shape = steps.output_shape(height, width, spacing_mm=spacing)
    back = restore_mask(steps, np.ones(shape[:2], np.uint8), height, width, spacing_mm=spacing)
    assert back.shape == (height, width)
    if new_height >= 121 and new_width >= 121:
        assert back.all()
    assert back[height // 2, width // 2] == 1 or min(new_height, new_width) < 6


@pytest.mark.parametrize(
    ("image", "error", "text"),
    [
        (np.zeros((0, 4), np.int16), ShapeError, "no empty axis"),
        (np.zeros((2, 2, 2, 2), np.int16), ShapeError, "expected"),
        (np.zeros((4, 4)), DtypeError, "float64"),
        (np.zeros((4, 4), bool), DtypeError, "bool"),
        (np.zeros((4, 4, 2), np.uint8), ShapeError, "2 channels"),
        ([np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)], ShapeError, "the same for each"),
        ([], ShapeError, "none"),
    ],
)
def test_other_images_raise(image, error, text):
    with pytest.raises(error, match=text):
        apply(Preprocessing((Channels(1), Window(0, 1))), image)


def test_statistics_of_another_preprocessing_raise():
    steps = Preprocessing((ZScore(scope="volume"),))
    image = np.zeros((3, 3), np.uint8)
    with pytest.raises(ConfigurationError, match="statistics are of 0 steps"):
        apply(steps, image, statistics=Statistics(()))
    with pytest.raises(ConfigurationError, match="2 channels"):
        apply(steps, image, statistics=Statistics((((0.0, 1.0), (0.0, 1.0)),)))


def test_scale_offset_per_channel():
    image = np.array([[[1, 2, 3]]], np.uint8)
    got = apply(Preprocessing((ScaleOffset((1, 2, 0.5), (-1, 0, 1)),)), image)
    np.testing.assert_array_equal(got.ravel(), np.array([0, 4, 2.5], np.float32))
    with pytest.raises(dataclasses.FrozenInstanceError):
        ScaleOffset().scale = (2.0,)  # type: ignore[misc]
