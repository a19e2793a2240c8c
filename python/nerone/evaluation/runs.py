"""Scores of one network over independently trained runs: mean and deviation, and an interval over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.evaluation.evaluate import Counts
from nerone.evaluation.intervals import Interval, Summary, bootstrap_interval, summarize
from nerone.evaluation.metrics import ClassificationCounts, SegmentationCounts, weighted_dice_of

__all__ = ["RunScores", "score_runs"]


@dataclass(frozen=True)
class RunScores:
    """Scores of several training runs on the same images.

    Attributes
    ----------
    score : Summary over runs, accuracy or Dice weighted by the classes' frequency, 0 to 1
    interval : Interval, 95 %, of the runs' mean score, over images
    classes : per class a Summary over runs, accuracy or Dice; None for a class that no image shows
    regions : BraTS's regions by name, Dice over runs; empty for other tasks
    confusion : (classes, classes) int, rows the truth, summed over runs; None for a segmentation
    """

    score: Summary
    interval: Interval
    classes: tuple[Summary | None, ...]
    regions: dict[str, Summary]
    confusion: NDArray[np.int64] | None = None


def score_runs(runs: Sequence[Counts], *, seed: int = 0, draws: int = 1000) -> RunScores:
    """Summarize the counts of independently trained networks that were scored on the same images.

    Raises
    ------
    ConfigurationError
        If there is no run, or the runs differ in kind or number of images.
    """
    if not runs or len({(type(run), len(run), run.classes) for run in runs}) != 1:
        raise ConfigurationError("the runs were not scored on the same images; score each of them on the same data")
    if isinstance(runs[0], ClassificationCounts):
        return _classification([run for run in runs if isinstance(run, ClassificationCounts)], seed, draws)
    return _segmentation([run for run in runs if isinstance(run, SegmentationCounts)], seed, draws)


def _classification(runs: Sequence[ClassificationCounts], seed: int, draws: int) -> RunScores:
    right = np.mean([run.right() for run in runs], axis=0)
    return RunScores(
        summarize([run.accuracy() for run in runs]),
        runs[0].interval_over_images(right, seed=seed, draws=draws),
        _columns([run.class_accuracy() for run in runs]),
        {},
        np.sum([run.confusion() for run in runs], axis=0),
    )


def _segmentation(runs: Sequence[SegmentationCounts], seed: int, draws: int) -> RunScores:
    def mean_score(rows: NDArray[np.float64]) -> float:
        return float(np.mean([weighted_dice_of(total.astype(np.int64)) for total in rows.sum(axis=0)]))

    rows = np.stack([run.per_image for run in runs], axis=1)
    names = runs[0].regions
    return RunScores(
        summarize([run.weighted_dice() for run in runs]),
        bootstrap_interval(rows, mean_score, seed=seed, draws=draws),
        _columns([run.dice() for run in runs]),
        {name: summarize([run.regions[name] for run in runs]) for name in names if not np.isnan(names[name])},
    )


def _columns(rows: Sequence[NDArray[np.float64]]) -> tuple[Summary | None, ...]:
    columns = ([value for value in column if not np.isnan(value)] for column in zip(*rows, strict=True))
    return tuple(summarize(column) if column else None for column in columns)
