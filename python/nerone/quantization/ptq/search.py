"""The search of activation fix points inside a TensorFlow graph."""

from __future__ import annotations

from typing import Any

from nerone.quantization.pof2s import CANDIDATES

__all__ = ["min_mse", "non_overflow"]

Tensor = Any
_SMALLEST_SCALE = 2.220446049250313e-16


def non_overflow(low: Tensor, high: Tensor) -> Tensor:
    """Return the float fix point at which the range ``low`` .. ``high`` just fits int8."""
    import tensorflow as tf

    scale = tf.maximum(tf.maximum(-low / 128.0, high / 127.0), _SMALLEST_SCALE)
    # float64 keeps exact powers of two on their integer.
    return tf.cast(
        tf.floor(-tf.math.log(tf.cast(scale, tf.float64)) / tf.math.log(tf.constant(2.0, tf.float64))), tf.float32
    )


def min_mse(value: Tensor, first: Tensor) -> Tensor:
    """Return the fix point among ``first`` .. ``first + 4`` with the smallest squared error; the first minimum wins.

    The clipping error alone never falls from one candidate to the next. Where that of the third already exceeds the
    smaller total of the first two, the other candidates need not be tried, which is the usual case.
    """
    import tensorflow as tf

    errors = [_squared_error(value, first + step) for step in (0.0, 1.0)]
    best = tf.minimum(errors[0], errors[1])
    scale = tf.pow(2.0, -(first + 2.0))
    clipped = tf.nn.l2_loss(value - tf.clip_by_value(value, -128.0 * scale, 127.0 * scale))

    def all_candidates() -> Tensor:
        rest = [_squared_error(value, first + float(step)) for step in range(2, CANDIDATES)]
        return tf.argmin(tf.stack([*errors, *rest]))

    chosen = tf.cond(clipped > best, lambda: tf.argmin(tf.stack(errors)), all_candidates)
    return first + tf.cast(chosen, tf.float32)


def _squared_error(value: Tensor, fix_point: Tensor) -> Tensor:
    """Half the sum of squared errors of int8 with ``fix_point``."""
    import tensorflow as tf

    scale = tf.pow(2.0, -fix_point)
    # One fused op of TensorFlow; it rounds half up like the DPU, ties may differ in the last float bit.
    rounded = tf.quantization.fake_quant_with_min_max_vars(value, -128.0 * scale, 127.0 * scale)
    return tf.nn.l2_loss(rounded - value)
