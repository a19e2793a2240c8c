"""The number format of the DPU: int8 with one power-of-two scale per tensor, and how its position is found.

A tensor with position ``p`` holds ``clip(round(x * 2**p), -128, 127)``; ``p`` may be negative. Weights and biases
round half to even, activations round half up. Source: the ``pof2s`` strategy of vai_q_tensorflow2 3.5 (Apache-2.0).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CANDIDATES",
    "INT8_MAX",
    "INT8_MIN",
    "Rounding",
    "fake_quantize",
    "min_mse_position",
    "non_overflow_position",
    "quantize_array",
]

INT8_MIN, INT8_MAX = -128, 127
# The search tries the position without overflow and the four finer ones.
CANDIDATES = 5
_SMALLEST_SCALE = 2.220446049250313e-16

Rounding = Literal["even", "half_up"]
Array = NDArray[np.floating]


def quantize_array(values: Array, position: int, rounding: Rounding = "even") -> NDArray[np.int8]:
    """Return the int8 values of a tensor.

    Parameters
    ----------
    values : float array of any shape
    position : int, fix point; one step is ``2**-position``
    rounding : "even" for weights and biases (PY3_ROUND), "half_up" for activations (DPU_ROUND)

    Examples
    --------
    >>> quantize_array(np.array([0.5, 1.5, -200.0]), 0).tolist()
    [0, 2, -128]
    """
    return _integers(values, position, rounding).astype(np.int8)


def fake_quantize(values: Array, position: int, rounding: Rounding = "even") -> NDArray[np.float32]:
    """Return float values rounded to what int8 with ``position`` can hold."""
    return np.ldexp(_integers(values, position, rounding), -position).astype(np.float32)


def _integers(values: Array, position: int, rounding: Rounding) -> NDArray[np.float64]:
    # Scaling by a power of two is exact; float64 keeps it so for every float32 value.
    scaled = np.ldexp(np.asarray(values, np.float64), position)
    rounded = np.rint(scaled) if rounding == "even" else np.floor(scaled + 0.5)
    return np.clip(rounded, INT8_MIN, INT8_MAX)


def non_overflow_position(minimum: float, maximum: float) -> int:
    """Return the largest position at which neither end of the range saturates by more than rounding."""
    scale = max(-float(minimum) / -INT8_MIN, float(maximum) / INT8_MAX, _SMALLEST_SCALE)
    return int(np.floor(-np.log2(scale)))


def min_mse_position(values: Array, rounding: Rounding = "even") -> int:
    """Return the position with the smallest sum of squared errors; the first minimum wins.

    Examples
    --------
    >>> min_mse_position(np.array([0.5, -0.25]))
    7
    """
    data = np.asarray(values, np.float64)
    first = non_overflow_position(data.min(initial=0.0), data.max(initial=0.0))
    errors = [
        float(np.sum(np.square(np.ldexp(_integers(data, position, rounding), -position) - data)))
        for position in range(first, first + CANDIDATES)
    ]
    return first + int(np.argmin(errors))
