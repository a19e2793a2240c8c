"""The C++ preprocessing against the numpy statement: equal, at most 1 where resizes follow one another."""

from __future__ import annotations

import numpy as np
import pytest

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
    Step,
    Window,
    ZScore,
)
from nerone.runtime.preprocessing.numpy_steps import DTYPES, apply, volume_statistics
from nerone.runtime.presets import PRESETS
from preprocessing.pair import METHODS, SEED, check, core, pixels, run


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_pointwise_steps_are_equal(dtype, channels):
    rng = np.random.default_rng(SEED)
    per_channel = tuple(float(v) for v in rng.normal(size=channels) / 500)
    for height, width in [(1, 1), (3, 5), (16, 16), (7, 33), (50, 65)]:
        image = pixels(rng, (height, width, channels), dtype)
        for steps in [
            (),
            (Window(-500, 1000),),
            (Clip(low=0), Window(10, 900, to=(0, 1))),
            (ScaleOffset(per_channel, per_channel),),
            (Clip(-100, 700), ScaleOffset(0.002, -0.5), Clip(high=0.9), ZScore(nonzero=True)),
            (Clip(low=0), ZScore(nonzero=True)),
            (ZScore(),),
            (Percentile(1, 99),),
            (Percentile(None, 99.9, nonzero=True),),
            (Window(0, 500), Percentile(5, 60, to=(0, 2), nonzero=True)),
            (Channels(channels, tuple(reversed(range(channels)))), ZScore()),
            (Channels(channels, (0,) * 3), Window(0, 255), Channels(3, (2, 0))),
        ]:
            check(Preprocessing(steps), image)


@pytest.mark.parametrize("dtype", DTYPES)
def test_grey_is_equal(dtype):
    image = pixels(np.random.default_rng(SEED), (31, 45, 3), dtype)
    for steps in [
        (Grey(), Window(0, 255)),
        (Channels(3, (2, 1, 0)), Grey((0.5, -0.25, 2)), ZScore()),
        (ScaleOffset(0.01), Grey(), Resize(16, 20)),
        (Resize(16, 20), Grey(), Window(0, 200)),
    ]:
        check(Preprocessing(steps), image)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_resize_is_equal(method, dtype):
    rng = np.random.default_rng(SEED)
    sizes = [
        (8, 8, 8, 8),
        (64, 64, 32, 32),
        (32, 32, 64, 64),
        (1, 1, 5, 4),
        (5, 4, 1, 1),
        (7, 11, 13, 3),
        (33, 70, 17, 100),
    ]
    for height, width, new_height, new_width in [*sizes, (100, 90, 11, 10), (20, 30, 20, 15)]:
        for channels in (1, 3, 5):
            image = pixels(rng, (height, width, channels), dtype)
            check(Preprocessing((Resize(new_height, new_width, method), Window(-200, 800))), image)
            check(Preprocessing((Clip(low=0), Resize(new_height, new_width, method), ZScore())), image)


@pytest.mark.parametrize("method", METHODS)
def test_steps_that_move_pixels_one_after_another(method):
    rng = np.random.default_rng(SEED)
    for _ in range(25):
        height, width = (int(n) for n in rng.integers(1, 60, 2))
        image = pixels(rng, (height, width), rng.choice(["int16", "float32"]))
        steps = Preprocessing(
            (
                Resample(float(rng.uniform(0.4, 2)), method),
                CropOrPad(*(int(n) for n in rng.integers(1, 70, 2)), value=-1000),
                Resize(*(int(n) for n in rng.integers(1, 50, 2)), method=str(rng.choice(METHODS))),
                CropOrPad(*(int(n) for n in rng.integers(1, 60, 2)), value=float(rng.choice([-1000, 50]))),
                Window(-500, 1000),
            )
        )
        check(steps, image, tolerance=1, spacing_mm=(0.8, 1.1))


def test_a_resize_then_a_crop_is_equal():
    rng = np.random.default_rng(SEED)
    for height, width, spacing in [(122, 101, 3.0), (64, 64, 1.25), (90, 80, 0.3), (10, 200, 2.0)]:
        image = pixels(rng, (height, width), "int16")
        for method in METHODS:
            check(Preprocessing((Resample(0.625, method), CropOrPad(70, 50))), image, spacing_mm=spacing)


def test_crop_and_pad_alone_are_equal():
    rng = np.random.default_rng(SEED)
    for old in [(5, 8), (6, 6), (9, 3), (1, 1)]:
        for new in [(6, 6), (5, 9), (3, 2), (20, 1)]:
            image = pixels(rng, (*old, 2), "int16")
            check(Preprocessing((Clip(0), CropOrPad(*new, value=-1), ScaleOffset(0.001))), image)
            check(Preprocessing((CropOrPad(*new, value=7.5),)), image, fix_point=-3)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_within_one(name):
    rng = np.random.default_rng(SEED)
    steps = PRESETS[name].preprocessing
    channels = steps.input_channels or 1
    for height, width, spacing in [(512, 512, 0.9), (240, 240, None), (122, 101, (3.0, 3.0)), (384, 320, 0.5)]:
        image = pixels(rng, (height, width, channels), "int16")
        check(steps, image, tolerance=1, spacing_mm=spacing)
        if steps.volume_steps:
            volume = [image, pixels(rng, (height, width, channels), "int16")]
            check(steps, image, tolerance=1, statistics=volume_statistics(steps, volume))


@pytest.mark.parametrize(
    "step", [Percentile(2, 99, nonzero=True, scope="volume"), ZScore("volume"), ZScore("volume", True)]
)
@pytest.mark.parametrize("before", [(), (Clip(low=0),), (Channels(2, (1, 0)), ScaleOffset(0.5, 3)), (ZScore(),)])
def test_volume_statistics_are_equal(step: Step, before):
    rng = np.random.default_rng(SEED)
    for dtype in ("int16", "float32"):
        steps = Preprocessing((*before, step, Resize(9, 9)))
        volume = [pixels(rng, (int(rng.integers(3, 30)), 21, 2), dtype) for _ in range(5)]
        expected = volume_statistics(steps, volume)
        assert core.volume_statistics(steps.to_dict(), volume) == [[list(p) for p in s] for s in expected.values]
        for image in volume:
            check(steps, image, statistics=expected)


def test_random_declarations():
    print("seed", SEED)
    rng = np.random.default_rng(SEED)

    def number(low, high):
        return float(np.float32(rng.uniform(low, high)))

    makers = [
        lambda: Clip(number(-500, 0), number(0, 900)),
        lambda: Window(number(-900, 0), number(1, 900)),
        lambda: ScaleOffset(number(-2, 2), number(-50, 50)),
        lambda: Percentile(number(0, 20), number(60, 100), nonzero=bool(rng.integers(2))),
        lambda: ZScore(nonzero=False),
        lambda: Resize(*(int(n) for n in rng.integers(1, 40, 2)), method=str(rng.choice(METHODS))),
        lambda: CropOrPad(*(int(n) for n in rng.integers(1, 50, 2)), value=number(-5, 5)),
        lambda: Channels(3, tuple(int(c) for c in rng.integers(0, 3, 3))),
    ]
    for _ in range(150):
        image = pixels(rng, (*(int(n) for n in rng.integers(1, 50, 2)), 3), rng.choice(DTYPES))
        chosen = [makers[int(i)]() for i in rng.integers(0, len(makers), rng.integers(1, 6))]
        # Differences of rounding grow with what follows, so real values are compared, relative to their range.
        steps = Preprocessing(tuple(chosen))
        expected = apply(steps, image)
        got = run(steps, image, real=True)
        reach = max(1.0, float(np.abs(expected).max()))
        moves = sum(step.moves_pixels for step in chosen)
        assert np.abs(got - expected).max() <= (0 if moves <= 1 else 2e-3 * reach), steps
