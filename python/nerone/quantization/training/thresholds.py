"""Rounding whose range is trained together with the weights.

Source: Jain et al., "Trained Quantization Thresholds for Accurate and Efficient Fixed-Point Inference of Deep Neural
Networks", 2020. A tensor with log2 threshold ``t`` has the fix point ``7 - ceil(t)``.
"""

from __future__ import annotations

import math
from typing import Any

from nerone.quantization.tf_ops import import_tensorflow

__all__ = ["fix_point_of", "threshold_of", "train_through"]


def threshold_of(fix_point: int) -> float:
    """Return the log2 threshold in the middle of those that give ``fix_point``."""
    return 6.5 - fix_point


def fix_point_of(threshold: float) -> int:
    """Return the fix point that a log2 threshold stands for."""
    return 7 - math.ceil(threshold)


def train_through(value: Any, threshold: Any, *, half_up: bool) -> Any:
    """Return ``value`` as int8 with the fix point of ``threshold`` holds it, with gradients for both.

    Parameters
    ----------
    value : float32 tensor
    threshold : scalar float32 tensor, log2 of the range
    half_up : whether ties round up (activations) or to even (weights)
    """
    tf = import_tensorflow()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def rounded(x: Any, t: Any) -> Any:
        step = tf.pow(2.0, tf.math.ceil(t) - 7.0)
        scaled = x / step
        whole = tf.floor(scaled + 0.5) if half_up else tf.round(scaled)
        clipped = tf.clip_by_value(whole, -128.0, 127.0)

        def gradient(upstream: Any) -> tuple[Any, Any]:
            inside = tf.equal(whole, clipped)
            of_step = tf.where(inside, whole - scaled, clipped)
            return tf.where(inside, upstream, 0.0), math.log(2.0) * step * tf.reduce_sum(upstream * of_step)

        return clipped * step, gradient

    return rounded(value, threshold)
