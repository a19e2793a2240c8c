"""Metrics of predictions: one number, more is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError

__all__ = ["METRIC_NAMES", "Metric", "accuracy", "class_numbers", "mean_dice", "metric_named", "percent"]

METRIC_NAMES = {"mean_dice": "mean Dice", "accuracy": "accuracy"}
"""Names for people of the metrics that are shares, wherever they are printed."""

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]


def percent(share: float, *, sign: bool = False) -> str:
    """Return a score as it is printed everywhere: in percent with two digits, "-" for NaN.

    Parameters
    ----------
    share : float, 0 to 1, or a difference of two
    sign : bool, write a + too

    Examples
    --------
    >>> percent(0.51466), percent(-0.002, sign=True), percent(float("nan"))
    ('51.47', '-0.20', '-')
    """
    return "-" if np.isnan(share) else f"{100 * share:{'+' if sign else ''}.2f}"


def class_numbers(values: Array, classes: int) -> NDArray[np.int64]:
    """Return class numbers of labels or of scores, (N, ..., classes) or (N, ...) or (N, ..., 1)."""
    if values.shape[-1] == classes > 1 and np.issubdtype(values.dtype, np.floating):
        return np.asarray(values.argmax(-1), np.int64)
    flat = values[..., 0] if values.shape[-1] == 1 else values
    return np.asarray(flat > 0.5 if np.issubdtype(values.dtype, np.floating) else flat, np.int64)


def accuracy(truth: Array, predictions: Array) -> float:
    """Return the share of equal classes.

    Parameters
    ----------
    truth : (N, ...) class numbers, or targets like the predictions
    predictions : (N, ..., classes) scores; one class means a probability
    """
    classes = predictions.shape[-1]
    expected = class_numbers(truth, classes)
    return float(np.mean(class_numbers(predictions, classes).reshape(expected.shape) == expected))


def mean_dice(truth: Array, predictions: Array) -> float:
    """Return the mean Dice score of the classes from 1 on that occur in truth or predictions.

    Parameters
    ----------
    truth : (N, H, W) class numbers, or targets like the predictions
    predictions : (N, H, W, classes) scores; one class means a probability
    """
    classes = predictions.shape[-1]
    expected = class_numbers(truth, classes)
    found = class_numbers(predictions, classes).reshape(expected.shape)
    scores = []
    for label in range(1, max(classes, 2)):
        size = np.sum(expected == label) + np.sum(found == label)
        if size:
            scores.append(2.0 * np.sum((expected == label) & (found == label)) / size)
    return float(np.mean(scores)) if scores else 1.0


def metric_named(metric: str | Metric | None, rank: int) -> Metric:
    """Return the metric for a name; for None Dice for images and accuracy for vectors.

    Parameters
    ----------
    metric : "dice", "accuracy", a function of (truth, predictions), or None
    rank : int, axes of one output without the batch axis

    Raises
    ------
    ConfigurationError
        Another name.
    """
    if callable(metric):
        return metric
    known: dict[str | None, Metric] = {"dice": mean_dice, "accuracy": accuracy}
    known[None] = mean_dice if rank == 3 else accuracy
    if metric not in known:
        raise ConfigurationError(f"unknown metric '{metric}'; choose 'dice', 'accuracy' or give a function")
    return known[metric]
