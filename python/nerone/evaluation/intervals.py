"""Mean and deviation of independent runs, and bootstrap intervals over images or over what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nerone.errors import ConfigurationError

__all__ = ["Interval", "Summary", "bootstrap_interval", "clustered_interval", "summarize"]


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation (n - 1) of several runs; the deviation of a single run is not known and NaN."""

    mean: float
    deviation: float
    count: int


def summarize(values: Sequence[float]) -> Summary:
    """Return mean and standard deviation of independent runs.

    Raises
    ------
    ConfigurationError
        If there is no value.
    """
    if not len(values):
        raise ConfigurationError("there is no run to summarize")
    array = np.asarray(values, np.float64)
    return Summary(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else float("nan"), len(array))


def bootstrap_interval(
    rows: NDArray[np.float64] | NDArray[np.int64],
    statistic: Callable[[NDArray[np.float64]], float],
    *,
    seed: int = 0,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Return a statistic with its percentile bootstrap interval (Efron 1979).

    Parameters
    ----------
    rows : (N, ...), one entry per independent image; they are drawn with replacement
    statistic : function of drawn rows to float
    seed, draws : int
    level : float, share of the draws inside the interval

    Raises
    ------
    ConfigurationError
        If there is no row.
    """
    if not len(rows):
        raise ConfigurationError("there is no image to score")
    rng = np.random.default_rng(seed)
    values = [statistic(np.asarray(rows[rng.integers(0, len(rows), len(rows))])) for _ in range(draws)]
    kept = np.asarray(values)[np.isfinite(values)]
    value = float(statistic(np.asarray(rows)))
    if not kept.size:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def clustered_interval(
    values: ArrayLike,
    groups: ArrayLike,
    strata: ArrayLike,
    *,
    seed: int = 0,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Return a mean with its bootstrap interval where several rows come from one original.

    Copies of one photograph are no independent images: the originals are drawn with replacement, each with all of its
    copies (Davison and Hinkley 1997, section 3.8), class by class, so that every class keeps its share.

    Parameters
    ----------
    values : (N,) float
    groups : (N,), what each row was made from
    strata : (N,), class of each row

    Raises
    ------
    ConfigurationError
        If there is no row.
    """
    array = np.asarray(values, np.float64)
    if not array.size:
        raise ConfigurationError("there is no image to score")
    _, original = np.unique(np.asarray(groups), return_inverse=True)
    classes, stratum = np.unique(np.asarray(strata), return_inverse=True)
    rng = np.random.default_rng(seed)
    means = np.zeros(draws)
    for index in range(len(classes)):
        chosen = stratum == index
        _, member = np.unique(original[chosen], return_inverse=True)
        count = np.bincount(member).astype(np.float64)
        total = np.bincount(member, weights=array[chosen])
        drawn = rng.integers(0, len(count), (draws, len(count)))
        means += chosen.mean() * total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(array.mean()), float(low), float(high))
