"""The presets for pictures: the field's numbers for every level, in float and as fix point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from nerone.runtime.preprocessing.numpy_steps import apply, quantize
from nerone.runtime.presets import PRESETS, preset
from preprocessing.pair import run

PICTURES = [name for name, known in PRESETS.items() if not known.output]
MEAN = [Fraction(text) for text in ("0.485", "0.456", "0.406")]
DEVIATION = [Fraction(text) for text in ("0.229", "0.224", "0.225")]

# Every level of every channel, one column per channel.
LEVELS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def exact(name: str) -> list[list[Fraction]]:
    """What the field's formula gives, in rational numbers: [level][channel]."""
    formulas = {
        "rgb-0-1": lambda v, c: Fraction(v, 255),
        "rgb-imagenet": lambda v, c: (Fraction(v, 255) - MEAN[c]) / DEVIATION[c],
        "rgb-minus1-1": lambda v, c: Fraction(2 * v, 255) - 1,
        "grey-0-1": lambda v, c: Fraction(v, 255),
    }
    return [[formulas[name](v, c) for c in range(1 if name.startswith("grey") else 3)] for v in range(256)]


def at_its_own_size(name: str):
    return preset(name).preprocessing.with_output_size(256, 1)


def picture(name: str) -> np.ndarray:
    return LEVELS[:, None, :1] if name.startswith("grey") else LEVELS[:, None, :]


def test_there_are_four():
    assert PICTURES == ["rgb-0-1", "rgb-imagenet", "rgb-minus1-1", "grey-0-1"]


@pytest.mark.parametrize("name", PICTURES)
def test_every_level_has_the_value_of_the_formula(name):
    expected = np.array([[float(value) for value in row] for row in exact(name)])
    found = apply(at_its_own_size(name), picture(name))[:, 0]
    # One float32 product and one sum: half a step of each, of a result below 4.
    np.testing.assert_allclose(found, expected, rtol=0, atol=4 * 2.0**-24 * 2)
    np.testing.assert_array_equal(run(at_its_own_size(name), picture(name), 0, real=True)[:, 0], found)


@pytest.mark.parametrize("fix_point", range(3, 8))
@pytest.mark.parametrize("name", PICTURES)
def test_every_level_has_the_fix_point_of_the_formula(name, fix_point):
    half = Fraction(1, 2)
    expected = [[max(-128, min(127, (v * 2**fix_point + half).__floor__())) for v in row] for row in exact(name)]
    steps = at_its_own_size(name)
    np.testing.assert_array_equal(quantize(apply(steps, picture(name)), fix_point)[:, 0], expected)
    np.testing.assert_array_equal(run(steps, picture(name), fix_point)[:, 0], expected)


def test_torchvision_gives_the_same():
    """ToTensor and Normalize, as torchvision writes them: three float32 operations, ours are two."""
    mean, deviation = (np.array([float(v) for v in values], np.float32) for values in (MEAN, DEVIATION))
    theirs = (LEVELS.astype(np.float32) / np.float32(255) - mean) / deviation
    ours = apply(at_its_own_size("rgb-imagenet"), picture("rgb-imagenet"))[:, 0]
    assert np.abs(ours - theirs).max() < 1e-6


@pytest.mark.parametrize("name", PICTURES)
def test_the_size_is_the_networks(name):
    steps = preset(name).preprocessing.with_output_size(96, 128)
    assert steps.output_shape(480, 640, steps.input_channels) == (96, 128, steps.input_channels)
