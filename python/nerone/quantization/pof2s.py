"""How the fix point of a tensor is found from its values.

Source: the ``pof2s`` strategy of vai_q_tensorflow2 3.5 (Apache-2.0).
"""

from __future__ import annotations

import numpy as np

from nerone.dpu.arithmetic import INT8_MAX, INT8_MIN, Array, Rounding, to_grid

__all__ = ["CANDIDATES", "min_mse_fix_point", "non_overflow_fix_point"]

# The search tries the fix point without overflow and the four finer ones.
CANDIDATES = 5
_SMALLEST_SCALE = 2.220446049250313e-16


def non_overflow_fix_point(minimum: float, maximum: float) -> int:
    """Return the largest fix point at which neither end of the range saturates by more than rounding."""
    scale = max(-float(minimum) / -INT8_MIN, float(maximum) / INT8_MAX, _SMALLEST_SCALE)
    return int(np.floor(-np.log2(scale)))


def min_mse_fix_point(values: Array, rounding: Rounding = "even") -> int:
    """Return the fix point with the smallest sum of squared errors; the first minimum wins.

    Examples
    --------
    >>> min_mse_fix_point(np.array([0.5, -0.25]))
    7
    """
    data = np.asarray(values, np.float64)
    first = non_overflow_fix_point(data.min(initial=0.0), data.max(initial=0.0))
    errors = []
    for fix_point in range(first, first + CANDIDATES):
        wrong = to_grid(data, fix_point, rounding)
        wrong *= 2.0**-fix_point
        wrong -= data
        errors.append(float(np.sum(np.square(wrong, out=wrong))))
    return first + int(np.argmin(errors))
