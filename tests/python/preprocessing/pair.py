"""The C++ preprocessing and the numpy statement on the same image."""

from __future__ import annotations

import numpy as np
import pytest

from nerone.runtime.preprocessing import Preprocessing, Spacing, Statistics
from nerone.runtime.preprocessing.numpy_steps import apply, quantize

core = pytest.importorskip("nerone._core", reason="the extension is not built")
METHODS = ("nearest", "bilinear", "cubic", "area")
SEED = 20260731


def run(
    steps: Preprocessing,
    image,
    fix_point=6,
    spacing_mm: Spacing = None,
    statistics: Statistics | None = None,
    real=False,
):
    engine = core.Preprocess(steps.to_dict())
    shape = engine.output_shape(image, spacing_mm)
    result = np.full(shape, 99, np.float32 if real else np.int8)
    values = None if statistics is None else statistics.values
    engine.run(image, fix_point, result, spacing_mm=spacing_mm, statistics=values)
    again = np.full(shape, 11, result.dtype)
    engine.run(image, fix_point, again, spacing_mm=spacing_mm, statistics=values)
    np.testing.assert_array_equal(result, again)
    return result


def check(steps: Preprocessing, image, fix_point=6, tolerance=0, **kwargs):
    expected = apply(steps, image, **kwargs)
    assert core.Preprocess(steps.to_dict()).output_shape(image, kwargs.get("spacing_mm")) == expected.shape
    got = run(steps, image, fix_point, **kwargs).astype(int)
    difference = np.abs(got - quantize(expected, fix_point)).max()
    assert difference <= tolerance, f"{difference} at {steps} of {image[0].dtype}"
    real = run(steps, image, 0, real=True, **kwargs)
    if tolerance == 0:
        np.testing.assert_array_equal(real, expected)


def pixels(rng: np.random.Generator, shape, dtype):
    if dtype == "float32":
        image = rng.normal(100, 400, shape).astype(np.float32)
        image[rng.random(shape) < 0.1] = 0
        return image
    info = np.iinfo(dtype)
    image = rng.integers(max(info.min, -1024), min(info.max, 3000), shape, dtype=dtype, endpoint=True)
    image[rng.random(shape) < 0.1] = 0
    return image
