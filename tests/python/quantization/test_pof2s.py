"""The number format against its definition, and the search against a plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nerone.dpu.arithmetic import fake_quantize, quantize_array
from nerone.quantization.pof2s import min_mse_fix_point, non_overflow_fix_point

TENSORS = arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e4, 1e4, width=32))


def plain_quantize(value, fix_point, rounding):
    scaled = float(value) * 2.0**fix_point
    low = int(np.floor(scaled))
    rest = scaled - low
    up = rest > 0.5 or (rest == 0.5 and (rounding == "half_up" or low % 2 == 1))
    return min(127, max(-128, low + up))


@pytest.mark.parametrize("rounding", ["even", "half_up"])
@given(values=TENSORS, fix_point=st.integers(-6, 12))
@settings(max_examples=150, deadline=None)
def test_quantize_array(rounding, values, fix_point):
    expected = [plain_quantize(value, fix_point, rounding) for value in values]
    result = quantize_array(values, fix_point, rounding)
    assert result.dtype == np.int8
    assert result.tolist() == expected
    np.testing.assert_array_equal(fake_quantize(values, fix_point, rounding), np.float32(expected) * 2.0**-fix_point)


@given(values=TENSORS)
@settings(max_examples=150, deadline=None)
def test_min_mse_fix_point(values):
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    first = non_overflow_fix_point(low, high)
    errors = []
    for fix_point in range(first, first + 5):
        rounded = [plain_quantize(value, fix_point, "even") * 2.0**-fix_point for value in values]
        errors.append(sum((one - float(value)) ** 2 for one, value in zip(rounded, values, strict=True)))
    assert min_mse_fix_point(values) == first + errors.index(min(errors))


@pytest.mark.parametrize(
    ("low", "high", "fix_point"),
    [
        (0.0, 1.0, 6),
        (-1.0, 0.0, 7),
        (-1.0, 1.0, 6),
        (0.0, 127.0, 0),
        (-128.0, 127.0, 0),
        (-129.0, 0.0, -1),
        (0.0, 0.0, 52),
    ],
)
def test_non_overflow(low, high, fix_point):
    assert non_overflow_fix_point(low, high) == fix_point
