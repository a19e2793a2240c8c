"""Scores of segmentation and classification: Dice, accuracy, agreement, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nerone.errors import ConfigurationError, ShapeError
from nerone.evaluation.intervals import Interval, Summary, bootstrap_interval, clustered_interval, summarize

__all__ = [
    "ClassificationCounts",
    "Interval",
    "SegmentationCounts",
    "Summary",
    "agreement",
    "bootstrap_interval",
    "one_against_rest",
    "summarize",
]


class SegmentationCounts:
    """Per class the pixels of truth, of the prediction and of both, image by image; everything else follows.

    Parameters
    ----------
    classes : int, background included

    Examples
    --------
    >>> counts = SegmentationCounts(2)
    >>> counts.add(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]))
    >>> round(float(counts.dice()[1]), 3)
    0.667
    """

    def __init__(self, classes: int) -> None:
        if classes < 2:
            raise ConfigurationError(f"a segmentation has {classes} classes; expected at least 2")
        self.classes = classes
        self._rows: list[NDArray[np.int64]] = []
        self._regions: dict[str, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, prediction: ArrayLike, truth: ArrayLike) -> None:
        """Count one image.

        Parameters
        ----------
        prediction, truth : integer class ids of the same shape

        Raises
        ------
        ShapeError
            If the shapes differ.
        ConfigurationError
            If an id is not 0 to classes - 1.
        """
        guess, true = np.asarray(prediction), np.asarray(truth)
        if guess.shape != true.shape:
            raise ShapeError(f"the prediction has shape {guess.shape}, the truth {true.shape}; they must be the same")
        for what, ids in (("prediction", guess), ("truth", true)):
            if ids.size and (ids.min() < 0 or ids.max() >= self.classes):
                raise ConfigurationError(
                    f"the {what} has ids {ids.min()} to {ids.max()}; expected 0 to {self.classes - 1}"
                )
        both = np.bincount(true[guess == true].ravel(), minlength=self.classes)
        of_truth, of_guess = (np.bincount(ids.ravel(), minlength=self.classes) for ids in (true, guess))
        self._rows.append(np.stack([both, of_truth, of_guess]).astype(np.int64))

    @property
    def per_image(self) -> NDArray[np.int64]:
        """Return (images, 3, classes): pixels of both, of truth, of the prediction."""
        return np.stack(self._rows) if self._rows else np.zeros((0, 3, self.classes), np.int64)

    def of(self, images: Sequence[int]) -> SegmentationCounts:
        """Return the counts of some images alone, by their numbers; regions are left out."""
        found = SegmentationCounts(self.classes)
        found._rows = [self._rows[number] for number in images]
        return found

    def dice(self) -> NDArray[np.float64]:
        """Return Dice (DSC) per class over all pixels, NaN for a class that neither truth nor prediction has."""
        return dice_of(self.per_image.sum(axis=0))

    def mean_dice(self) -> float:
        """Return the mean of Dice over the classes from 1 on that occur, as `nerone.quantization.metrics.mean_dice`."""
        found = self.dice()[1:]
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    def weighted_dice(self) -> float:
        """Return Dice weighted by the classes' frequency in the truth, background left out (the paper's equation 2)."""
        return weighted_dice_of(self.per_image.sum(axis=0))

    def add_regions(self, prediction: Mapping[str, ArrayLike], truth: Mapping[str, ArrayLike]) -> None:
        """Count nested regions of one image, such as BraTS's whole tumour: boolean arrays by name."""
        for name, guess in prediction.items():
            a, b = np.asarray(guess, np.bool_), np.asarray(truth[name], np.bool_)
            row = np.array([np.count_nonzero(a & b), np.count_nonzero(a) + np.count_nonzero(b)])
            self._regions[name] = self._regions.get(name, np.zeros(2, np.int64)) + row

    @property
    def regions(self) -> dict[str, float]:
        """Return Dice per region over all pixels, NaN for a region that neither truth nor prediction has."""
        return {name: 2 * row[0] / row[1] if row[1] else float("nan") for name, row in self._regions.items()}

    def weighted_dice_interval(self, *, seed: int = 0, draws: int = 1000) -> Interval:
        """Return the weighted Dice with its 95 % bootstrap interval over images."""
        return bootstrap_interval(
            self.per_image, lambda rows: weighted_dice_of(rows.sum(axis=0)), seed=seed, draws=draws
        )


def dice_of(total: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 2 |both| / (|truth| + |prediction|) per class from (3, classes) counts."""
    size = (total[1] + total[2]).astype(np.float64)
    return np.asarray(np.where(size > 0, 2 * total[0] / np.where(size > 0, size, 1), np.nan))


def weighted_dice_of(total: NDArray[np.int64]) -> float:
    """Return sum_c f_c DSC_c / sum_c f_c over the classes from 1, f_c the class's share of the truth."""
    share = total[1, 1:].astype(np.float64)
    if share.sum() == 0:
        return float("nan")
    return float((share * np.nan_to_num(dice_of(total)[1:])).sum() / share.sum())


class ClassificationCounts:
    """Right and wrong of a classification.

    Parameters
    ----------
    classes : int
    """

    def __init__(self, classes: int) -> None:
        if classes < 2:
            raise ConfigurationError(f"a classification has {classes} classes; expected at least 2")
        self.classes = classes
        self._pairs: list[tuple[int, int]] = []
        self._groups: list[str] = []

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, prediction: int, truth: int, group: str = "") -> None:
        """Count one image.

        Parameters
        ----------
        prediction, truth : int, classes
        group : str, what the image was made from, where several were made from one; "" for an image of its own

        Raises
        ------
        ConfigurationError
            If a class is not 0 to classes - 1.
        """
        for what, value in (("prediction", prediction), ("truth", truth)):
            if not 0 <= int(value) < self.classes:
                raise ConfigurationError(f"the {what} is class {value}; expected 0 to {self.classes - 1}")
        self._pairs.append((int(truth), int(prediction)))
        self._groups.append(group or f"image {len(self._pairs)}")

    def confusion(self) -> NDArray[np.int64]:
        """Return (classes, classes) counts: rows are the truth, columns the prediction."""
        matrix = np.zeros((self.classes, self.classes), np.int64)
        for truth, prediction in self._pairs:
            matrix[truth, prediction] += 1
        return matrix

    def accuracy(self) -> float:
        """Return the share that is right, NaN without images."""
        return float(np.mean([truth == guess for truth, guess in self._pairs])) if self._pairs else float("nan")

    def class_accuracy(self) -> NDArray[np.float64]:
        """Return per class of the truth the share that is right, NaN for a class without images."""
        matrix = self.confusion()
        size = matrix.sum(axis=1)
        return np.asarray(np.where(size > 0, np.diag(matrix) / np.where(size > 0, size, 1), np.nan))

    def right(self) -> NDArray[np.float64]:
        """Return (images,) 1 where the prediction is right, 0 where it is wrong."""
        return np.array([truth == guess for truth, guess in self._pairs], np.float64)

    def interval_over_images(self, values: NDArray[np.float64], *, seed: int = 0, draws: int = 1000) -> Interval:
        """Return the mean of one value per image with its 95 % bootstrap interval: over images, or over originals where
        there are copies of them.
        """
        if len(set(self._groups)) == len(self._groups):
            return bootstrap_interval(values, lambda rows: float(rows.mean()), seed=seed, draws=draws)
        truths = [truth for truth, _ in self._pairs]
        return clustered_interval(values, self._groups, truths, seed=seed, draws=draws)

    def accuracy_interval(self, *, seed: int = 0, draws: int = 1000) -> Interval:
        """Return the accuracy with its interval as of :meth:`interval_over_images`."""
        return self.interval_over_images(self.right(), seed=seed, draws=draws)


def one_against_rest(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return per class the share of images that are rightly said to be of it or not to be of it (the paper's Table II).

    Parameters
    ----------
    confusion : (classes, classes), rows are the truth
    """
    right, total = np.diag(confusion), confusion.sum()
    return np.asarray(1 - (confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * right) / total, np.float64)


def agreement(first: ArrayLike, second: ArrayLike) -> float:
    """Return the share of equal class ids of two predictions, INT8 and FP32 for example.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape:
        raise ShapeError(f"the predictions have shapes {a.shape} and {b.shape}; they must be the same")
    return float((a == b).mean()) if a.size else float("nan")
