"""The C++ preprocessing against the numpy statement: equal, at most 1 where resizes follow one another."""

from __future__ import annotations

import numpy as np
import pytest

from nerone.errors import ConfigurationError, DtypeError, ShapeError
from nerone.runtime.numpy_preprocessing import DTYPES, apply, quantize, volume_statistics
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
    Spacing,
    Statistics,
    Step,
    Window,
    ZScore,
)
from nerone.runtime.presets import PRESETS

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
