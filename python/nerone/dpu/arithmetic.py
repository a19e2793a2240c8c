"""The DPU's arithmetic in facts: int8 with one power-of-two scale per tensor, and the constants of its ops.

A tensor with fix point ``p`` holds ``clip(round(x * 2**p), -128, 127)``; ``p`` may be negative. Weights and biases
round half to even, activations round half up. Source: the ``pof2s`` strategy of vai_q_tensorflow2 3.5 (Apache-2.0).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GATE_FIX_POINT",
    "HARD_SIGMOID_SCALE",
    "INT8_MAX",
    "INT8_MIN",
    "LEAKY_ALPHA",
    "MAX_CUT",
    "MAX_ELTWISE",
    "SIGMOID_SHIFT",
    "Array",
    "Rounding",
    "average_pool_ratio",
    "fake_quantize",
    "is_leaky_slope",
    "quantize_array",
    "relu6_maximum",
    "to_grid",
]

INT8_MIN, INT8_MAX = -128, 127

LEAKY_ALPHA = 26 / 256
"""Slope of the leaky ReLU; it stands for 0.1."""
_LEAKY_TOLERANCE = 1e-3  # round 0.1: a slope within it was meant to be the DPU's

SIGMOID_SHIFT = 14
HARD_SIGMOID_SCALE = 2731 / 2**SIGMOID_SHIFT
"""The hard sigmoid's 1 / 6."""
GATE_FIX_POINT = 7
"""Smallest fix point of a hard sigmoid's output, whose values lie in 0 .. 1; the gate of a swish has it."""

MAX_CUT = 16
"""Largest shift of a convolution's accumulator, and of its bias."""
MAX_ELTWISE = 15
"""Largest shift of an addition or multiplication, and largest fix point of a hard sigmoid's input."""

_RELU6_MOST = 96  # steps
_POOL_RATIOS = {(3, 3): (7, 6), (5, 5): (10, 8), (6, 6): (7, 8), (7, 7): (21, 10), (14, 14): (21, 12)}

Rounding = Literal["even", "half_up"]
Array = NDArray[np.floating]


def quantize_array(values: Array, fix_point: int, rounding: Rounding = "even") -> NDArray[np.int8]:
    """Return the int8 values of a tensor.

    Parameters
    ----------
    values : float array of any shape
    fix_point : int, fix point; one step is ``2**-fix_point``
    rounding : "even" for weights and biases (PY3_ROUND), "half_up" for activations (DPU_ROUND)

    Examples
    --------
    >>> quantize_array(np.array([0.5, 1.5, -200.0]), 0).tolist()
    [0, 2, -128]
    """
    return to_grid(values, fix_point, rounding).astype(np.int8)


def fake_quantize(values: Array, fix_point: int, rounding: Rounding = "even") -> NDArray[np.float32]:
    """Return float values rounded to what int8 with fix point ``fix_point`` can hold."""
    return np.multiply(to_grid(values, fix_point, rounding), 2.0**-fix_point).astype(np.float32)


def to_grid(values: Array, fix_point: int, rounding: Rounding) -> NDArray[np.float64]:
    """Return the integers of `quantize_array` as float64."""
    # Scaling by a power of two is exact; float64 keeps it so for every float32 value.
    scaled = np.asarray(np.multiply(values, 2.0**fix_point, dtype=np.float64))
    if rounding == "even":
        np.rint(scaled, out=scaled)
    else:
        np.floor(np.add(scaled, 0.5, out=scaled), out=scaled)
    return np.clip(scaled, INT8_MIN, INT8_MAX, out=scaled)


def is_leaky_slope(alpha: float) -> bool:
    """Return whether the DPU's leaky ReLU stands for one of slope ``alpha``: 0.1, or 26/256 itself.

    Examples
    --------
    >>> is_leaky_slope(0.1), is_leaky_slope(LEAKY_ALPHA), is_leaky_slope(0.3)
    (True, True, False)
    """
    return alpha == LEAKY_ALPHA or abs(alpha - 0.1) < _LEAKY_TOLERANCE


def relu6_maximum(fix_point: int) -> float:
    """Return where a ReLU6 saturates: at 96 steps, which are 6 with fix point 4 and more below it.

    Examples
    --------
    >>> relu6_maximum(4), relu6_maximum(3)
    (6.0, 12.0)
    """
    return _RELU6_MOST / 2.0**fix_point


def average_pool_ratio(kernel: tuple[int, int]) -> tuple[int, int]:
    """Return (N, M): the DPU multiplies the window's sum by N / 2**M in place of 1 / (height * width)."""
    if kernel in _POOL_RATIOS:
        return _POOL_RATIOS[kernel]
    size = kernel[0] * kernel[1]
    best = (1, 0)
    for shift in range(math.ceil(math.log2(128 * size))):
        ratio = (math.floor(2**shift / size + 0.5), shift)
        if abs(ratio[0] / 2 ** ratio[1] - 1 / size) < abs(best[0] / 2 ** best[1] - 1 / size):
            best = ratio
    return best
