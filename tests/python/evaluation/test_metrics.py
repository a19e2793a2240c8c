from __future__ import annotations

import numpy as np
import pytest

from nerone.errors import ConfigurationError, ShapeError
from nerone.evaluation.metrics import (
    ClassificationCounts,
    SegmentationCounts,
    agreement,
    bootstrap_interval,
    summarize,
)
from nerone.quantization.metrics import mean_dice


def test_dice_per_class_against_sets() -> None:
    rng = np.random.default_rng(11)
    counts = SegmentationCounts(5)
    truths, guesses = rng.integers(0, 4, (6, 9, 7)), rng.integers(0, 4, (6, 9, 7))
    for guess, truth in zip(guesses, truths, strict=True):
        counts.add(guess, truth)
    for c in range(4):
        a, b = set(np.flatnonzero(guesses == c)), set(np.flatnonzero(truths == c))
        assert counts.dice()[c] == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
    assert np.isnan(counts.dice()[4]), "a class that nobody has is not scored"


def test_weighted_dice_is_equation_two() -> None:
    counts = SegmentationCounts(3)
    truth = np.array([[1, 1, 1, 2, 0, 0]])
    guess = np.array([[1, 1, 0, 0, 0, 2]])
    counts.add(guess, truth)
    liver, other = 2 * 2 / (3 + 2), 0.0
    assert counts.weighted_dice() == pytest.approx((3 * liver + 1 * other) / 4)


def test_a_class_found_where_there_is_none_scores_zero_without_weight() -> None:
    counts = SegmentationCounts(3)
    counts.add(np.array([1, 2]), np.array([1, 0]))
    assert counts.dice()[2] == 0
    assert counts.weighted_dice() == 1
    empty = SegmentationCounts(2)
    empty.add(np.zeros(3, int), np.zeros(3, int))
    assert np.isnan(empty.weighted_dice())


def test_accuracy_and_confusion() -> None:
    counts = ClassificationCounts(3)
    for truth, guess in ((0, 0), (0, 1), (1, 1), (1, 1)):
        counts.add(guess, truth)
    assert counts.accuracy() == 0.75
    assert counts.confusion().tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert counts.class_accuracy()[:2].tolist() == [0.5, 1.0]
    assert np.isnan(counts.class_accuracy()[2])


def test_bootstrap_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(120):
        rows = (rng.random(80) < 0.8).astype(np.float64)
        found = bootstrap_interval(rows, lambda drawn: float(drawn.mean()), seed=trial, draws=300)
        hits += found.low <= 0.8 <= found.high
    assert 100 <= hits <= 120
    again = [bootstrap_interval(rows, lambda drawn: float(drawn.mean()), seed=1, draws=50) for _ in (0, 1)]
    assert again[0] == again[1]


def test_mean_and_deviation_of_runs() -> None:
    found = summarize([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, found.count) == (3.0, 5)
    assert found.deviation == pytest.approx(np.sqrt(2.5))
    assert np.isnan(summarize([4.0]).deviation)


def test_agreement() -> None:
    assert agreement([[1, 2], [0, 0]], [[1, 2], [0, 3]]) == 0.75


def test_wrong_input_is_refused() -> None:
    counts = SegmentationCounts(3)
    with pytest.raises(ShapeError):
        counts.add(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(ConfigurationError, match="0 to 2"):
        counts.add(np.array([3]), np.array([0]))
    with pytest.raises(ConfigurationError, match="class 7"):
        ClassificationCounts(3).add(7, 0)
    with pytest.raises(ConfigurationError):
        summarize([])
    with pytest.raises(ShapeError):
        agreement([1], [1, 2])
    with pytest.raises(ConfigurationError):
        ClassificationCounts(3).accuracy_interval()


def test_mean_dice_is_the_one_that_deploy_prints():
    """One name, one formula: of images scored one by one here, and of all at once there."""
    rng = np.random.default_rng(11)
    truth, scores = rng.integers(0, 4, (5, 9, 7)), rng.random((5, 9, 7, 5)).astype(np.float32)
    counts = SegmentationCounts(5)
    for one, guess in zip(truth, scores.argmax(-1), strict=True):
        counts.add(guess, one)
    assert counts.mean_dice() == pytest.approx(mean_dice(truth, scores), abs=1e-12)
    empty = SegmentationCounts(3)
    empty.add(np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert np.isnan(empty.mean_dice())
