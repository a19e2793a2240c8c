"""Scores over several runs, and their intervals, against independent statements in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nerone.data import brats
from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame
from nerone.errors import ConfigurationError
from nerone.evaluation.evaluate import Evaluation, Scored
from nerone.evaluation.intervals import clustered_interval
from nerone.evaluation.metrics import ClassificationCounts, SegmentationCounts
from nerone.evaluation.runs import score_runs

SEED = 20260802


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.logical_and(first, second).sum() / (first.sum() + second.sum())


def test_brain_regions_are_unions_of_the_stored_ids() -> None:
    rng = np.random.default_rng(SEED)
    stored, guessed = (rng.choice([0, 1, 2, 4], (5, 12, 10), p=[0.4, 0.2, 0.2, 0.2]) for _ in "ab")
    evaluation = Evaluation(brats.CLASSES, {"INT8": SegmentationCounts(4)})
    for truth, guess in zip(stored, guessed, strict=True):
        as_classes = [np.where(ids == 4, 3, ids).astype(np.uint8) for ids in (truth, guess)]
        frame = LabelledFrame(Frame(np.zeros((12, 10, 4), np.int16), Path("case")), as_classes[0])
        evaluation.add(Scored(frame, np.zeros((12, 10, 4), np.float32), as_classes[0], {"INT8": as_classes[1]}))
    regions = evaluation.counts["INT8"].regions
    for name, ids in (("whole tumour", (1, 2, 4)), ("tumour core", (1, 4)), ("enhancing tumour", (4,))):
        assert regions[name] == pytest.approx(overlap(np.isin(guessed, ids), np.isin(stored, ids)))


def classified(guesses: np.ndarray, truths: np.ndarray, groups: list[str] | None = None) -> ClassificationCounts:
    counts = ClassificationCounts(4)
    for number, (guess, truth) in enumerate(zip(guesses, truths, strict=True)):
        counts.add(int(guess), int(truth), groups[number] if groups else "")
    return counts


def test_classification_over_five_runs() -> None:
    rng = np.random.default_rng(SEED)
    truths = rng.integers(0, 3, 60)
    guesses = [np.where(rng.random(60) < 0.7, truths, rng.integers(0, 4, 60)) for _ in range(5)]
    found = score_runs([classified(guess, truths) for guess in guesses], draws=4000)
    accuracies = np.array([(guess == truths).mean() for guess in guesses])
    assert found.score.mean == pytest.approx(accuracies.mean())
    assert found.score.deviation == pytest.approx(np.sqrt(((accuracies - accuracies.mean()) ** 2).sum() / 4))
    matrix = np.zeros((4, 4), int)
    for guess in guesses:
        np.add.at(matrix, (truths, guess), 1)
    np.testing.assert_array_equal(found.confusion, matrix)
    for index in range(3):
        each = [(guess[truths == index] == index).mean() for guess in guesses]
        assert found.classes[index].mean == pytest.approx(np.mean(each))
    assert found.classes[3] is None, "no image shows class 3"
    per_image = np.mean([guess == truths for guess in guesses], axis=0)
    spread = 1.96 * per_image.std() / np.sqrt(60)  # the normal approximation, an independent way to an interval
    assert found.interval.low == pytest.approx(per_image.mean() - spread, abs=0.02)
    assert found.interval.high == pytest.approx(per_image.mean() + spread, abs=0.02)


def test_segmentation_over_runs() -> None:
    rng = np.random.default_rng(SEED)
    truth = rng.integers(0, 3, (8, 9, 9))
    runs, scores = [], []
    for _ in range(3):
        guess = np.where(rng.random(truth.shape) < 0.8, truth, rng.integers(0, 3, truth.shape))
        counts = SegmentationCounts(3)
        for one, of in zip(guess, truth, strict=True):
            counts.add(one, of)
        runs.append(counts)
        share = np.array([(truth == c).mean() for c in (1, 2)])
        scores.append((share * [overlap(guess == c, truth == c) for c in (1, 2)]).sum() / share.sum())
    found = score_runs(runs, draws=200)
    assert found.score.mean == pytest.approx(np.mean(scores))
    assert found.score.deviation == pytest.approx(np.std(scores, ddof=1))
    assert found.interval.low < found.score.mean < found.interval.high
    assert found.interval.value == pytest.approx(found.score.mean)


def test_runs_on_other_images_are_not_averaged() -> None:
    one, two = classified(np.zeros(3, int), np.zeros(3, int)), classified(np.zeros(4, int), np.zeros(4, int))
    with pytest.raises(ConfigurationError, match="same images"):
        score_runs([one, two])
    with pytest.raises(ConfigurationError):
        score_runs([])


def test_copies_of_an_original_are_no_new_images() -> None:
    rng = np.random.default_rng(SEED)
    right = (rng.random(12) < 0.75).astype(int)
    truths = np.repeat(np.arange(2), 6)
    originals = [f"original {number}" for number in range(12)]
    plain = classified(np.where(right, truths, 3), truths).accuracy_interval()
    copied = classified(np.where(np.repeat(right, 30), np.repeat(truths, 30), 3), np.repeat(truths, 30))
    grouped = classified(
        np.where(np.repeat(right, 30), np.repeat(truths, 30), 3),
        np.repeat(truths, 30),
        [name for name in originals for _ in range(30)],
    )
    narrow, honest = copied.accuracy_interval(), grouped.accuracy_interval()
    assert narrow.value == honest.value == pytest.approx(right.mean())
    assert narrow.high - narrow.low < (honest.high - honest.low) / 3, (
        "360 copies look more certain than 12 originals are"
    )
    assert honest.high - honest.low > 0.7 * (plain.high - plain.low)


def test_clustered_interval_against_drawing_by_hand() -> None:
    rng = np.random.default_rng(SEED)
    groups, strata = rng.integers(0, 9, 80), np.zeros(80, int)
    strata[groups > 4] = 1
    values = rng.random(80) + groups / 10
    means = []
    for _ in range(3000):
        total = 0.0
        for stratum in (0, 1):
            members = np.unique(groups[strata == stratum])
            drawn = np.concatenate([values[groups == g] for g in rng.choice(members, len(members))])
            total += (strata == stratum).mean() * drawn.mean()
        means.append(total)
    found = clustered_interval(values, groups, strata, draws=3000)
    low, high = np.quantile(means, (0.025, 0.975))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))
    with pytest.raises(ConfigurationError):
        clustered_interval([], [], [])
