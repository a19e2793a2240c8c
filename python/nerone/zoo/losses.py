"""Losses of the paper's segmentation tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["focal_tversky"]


def focal_tversky(
    class_weights: Sequence[float],
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 0.75,
    smooth: float = 1.0,
    count_absent: bool = False,
) -> Callable[[Any, Any], Any]:
    """Return the class-weighted focal Tversky loss.

    With p the probabilities and g the one-hot truth of class c, summed over the batch and its pixels,
    ``TI_c = (sum(p g) + s) / (sum(p g) + alpha sum(p (1 - g)) + beta sum((1 - p) g) + s)`` and
    ``loss = sum_c w_c (1 - TI_c)^gamma / sum_c w_c``
    (Salehi et al. 2017, doi:10.1007/978-3-319-67389-9_44; Abraham and Khan 2019, doi:10.1109/ISBI.2019.8759329, whose
    exponent 1/gamma is written gamma here).

    Parameters
    ----------
    class_weights : one weight per class, background first
    alpha, beta : float, weights of false positives and false negatives
    gamma : float, below 1 the loss keeps its slope where the overlap is already good
    smooth : float, pixels; keeps the index defined for a class that is absent
    count_absent : bool, whether a class that no pixel of the batch has counts. Where it does, a rare class is mostly
        pushed away; where it does not, a pixel that wrongly has it still costs the class it belongs to

    Returns
    -------
    function of truth (N, H, W) integer ids and prediction (N, H, W, C) float32 probabilities to a scalar
    """
    import tensorflow as tf

    weights = tf.constant([float(w) for w in class_weights], tf.float32)

    def loss(truth: Any, prediction: Any) -> Any:
        ids = tf.cast(tf.reshape(truth, tf.shape(prediction)[:-1]), tf.int32)
        hot = tf.one_hot(ids, prediction.shape[-1], dtype=prediction.dtype)
        axes = list(range(len(prediction.shape) - 1))
        both = tf.reduce_sum(hot * prediction, axes)
        false_positive = tf.reduce_sum(prediction, axes) - both
        false_negative = tf.reduce_sum(hot, axes) - both
        index = (both + smooth) / (both + alpha * false_positive + beta * false_negative + smooth)
        # The power's slope is infinite at 0.
        misses = tf.pow(tf.maximum(1.0 - index, 1e-6), gamma)
        counted = weights if count_absent else weights * tf.cast(tf.reduce_sum(hot, axes) > 0, tf.float32)
        return tf.reduce_sum(counted * misses) / tf.reduce_sum(counted)

    return loss
