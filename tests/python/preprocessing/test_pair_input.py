"""Inputs of the C++ preprocessing: every memory layout, values that are no numbers; and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from nerone.errors import ConfigurationError, DtypeError, ShapeError
from nerone.runtime.preprocessing import (
    Channels,
    Grey,
    Percentile,
    Preprocessing,
    Resize,
    ScaleOffset,
    Window,
    ZScore,
)
from nerone.runtime.preprocessing.numpy_steps import DTYPES
from preprocessing.pair import METHODS, SEED, check, core, pixels, run


def layouts(image):
    """The same pixels, laid out in every way."""
    height, width = image.shape[:2]
    spread = np.zeros((height * 2, width * 3, *image.shape[2:]), image.dtype)
    spread[::2, ::3] = image
    odd = np.zeros(image.nbytes + 1, np.uint8)[1:].view(image.dtype).reshape(image.shape)
    odd[...] = image
    yield np.asfortranarray(image)
    yield spread[::2, ::3]
    yield image[::-1].copy()[::-1]
    yield image[:, ::-1].copy()[:, ::-1]
    yield np.ascontiguousarray(image.swapaxes(0, 1)).swapaxes(0, 1)
    yield odd
    if image.ndim == 3:
        yield [np.ascontiguousarray(image[:, :, c]) for c in range(image.shape[2])]
        yield [np.asfortranarray(image[:, :, c]) for c in range(image.shape[2])]
        yield np.concatenate([image, image], axis=2)[:, :, : image.shape[2]]
        yield np.ascontiguousarray(np.moveaxis(image, 2, 0)).transpose(1, 2, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_layout_changes_nothing(dtype):
    rng = np.random.default_rng(SEED)
    for shape in [(37, 41), (37, 41, 1), (16, 24, 3), (9, 1, 4), (1, 9, 2)]:
        image = pixels(rng, shape, dtype)
        channels = 1 if image.ndim == 2 else shape[2]
        for steps in [
            (Window(-300, 900),),
            (Resize(20, 31, "cubic"), ZScore()),
            (Channels(channels, (channels - 1,) * 2),),
        ]:
            declaration = Preprocessing(steps)
            expected = run(declaration, image)
            for other in layouts(image):
                np.testing.assert_array_equal(run(declaration, other), expected)


def test_nan_and_infinities_have_a_result():
    rng = np.random.default_rng(SEED)
    image = pixels(rng, (40, 50, 3), "float32")
    image[rng.random(image.shape) < 0.2] = np.nan
    image[rng.random(image.shape) < 0.1] = np.inf
    image[rng.random(image.shape) < 0.1] = -np.inf
    image[0, 0] = [1e38, -1e38, 1e-42]
    for steps in [(), (Window(-10, 30),), (ZScore(),), (Percentile(1, 99),), (Grey(), Window(0, 9))]:
        check(Preprocessing(steps), image)
    for method in METHODS:
        check(Preprocessing((Resize(17, 70, method), Window(-1, 1))), image)
    check(Preprocessing((ScaleOffset(1e6, -1e30), ScaleOffset(-1e6, 1e30), Grey(), ZScore())), image, fix_point=31)


def test_bad_input_raises():
    engine = core.Preprocess(Preprocessing((Channels(1), Resize(8, 8))).to_dict())
    good = np.zeros((4, 4), np.int16)
    out = np.zeros((8, 8, 1), np.int8)
    for image, error, text in [
        (np.zeros((0, 4), np.int16), ShapeError, "no empty axis"),
        (np.zeros(4, np.int16), ShapeError, "expected"),
        (np.zeros((2, 2, 2, 2), np.int16), ShapeError, "expected"),
        (np.zeros((4, 4, 2), np.int16), ShapeError, "2 channels"),
        (np.zeros((4, 4)), DtypeError, "float64"),
        (np.zeros((4, 4), np.int64), DtypeError, "int64"),
        (np.zeros((4, 4), ">i2"), DtypeError, "dtype"),
        ([good, good.astype(np.uint8)], DtypeError, "one dtype"),
        ([good, good[:2]], ShapeError, "same"),
        ([], ShapeError, "no channels"),
        ("text", DtypeError, "numpy"),
    ]:
        with pytest.raises(error, match=text):
            engine.run(image, 6, out)
    for destination, error in [
        (np.zeros((8, 8), np.int8), ShapeError),
        (np.zeros((8, 9, 1), np.int8), ShapeError),
        (np.zeros((16, 8, 1), np.int8)[::2], ShapeError),
        (np.zeros((8, 8, 1), np.uint8), DtypeError),
    ]:
        with pytest.raises(error):
            engine.run(good, 6, destination)
    for kwargs in [
        {"spacing_mm": 0},
        {"spacing_mm": (1, float("nan"))},
        {"spacing_mm": "x"},
        {"statistics": [[(0, 1)]]},
    ]:
        with pytest.raises(ConfigurationError):
            engine.run(good, 6, out, **kwargs)
    with pytest.raises(ConfigurationError):
        engine.run(good, 40, out)
    for declaration in [
        {},
        {"steps": [1]},
        {"steps": [{"step": "resize", "height": 3}]},
        {"steps": [{"step": "blur"}]},
        None,
    ]:
        with pytest.raises(ConfigurationError):
            core.Preprocess(declaration)
    engine.run(good, 6, out)
