"""Dice of each scan against labels that lie beside it, counted while its masks pass by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame, LabelledSource, pair_sources
from nerone.data.source import Source

__all__ = ["Dice"]


class Dice:
    """Counts of one scan, on its own grid.

    Parameters
    ----------
    bundle : Bundle
    source : Source
    root : Path, the folder in which labels are looked for
    """

    def __init__(self, bundle: Bundle, source: Source, root: Path) -> None:
        names = bundle.output.class_names
        ids = bundle.output.label_ids or tuple(range(len(names)))
        self._to_class = np.full(256, 255, np.uint8)
        self._to_class[list(ids)] = np.arange(len(ids), dtype=np.uint8)
        pair = pair_sources([source], root)[0]
        self._truths: Iterator[LabelledFrame] = pair.read() if isinstance(pair, LabelledSource) else iter(())
        self._next = next(self._truths, None)
        self._names, self._compared = names, 0
        self._both = np.zeros(len(names), np.int64)
        self._sum = np.zeros(len(names), np.int64)

    def count(self, frame: Frame, mask: NDArray[np.uint8]) -> None:
        """Compare a mask (H, W) of class numbers; a slice that the data set leaves out counts in nothing."""
        item = self._next
        if item is None or item.frame.index != frame.index or isinstance(item.truth, str):
            return
        self._next = next(self._truths, None)
        truth, size = self._to_class[item.truth], len(self._names)
        self._compared += 1
        self._both += np.bincount(mask[mask == truth], minlength=size)[:size]
        self._sum += np.bincount(mask.ravel(), minlength=size)[:size]
        self._sum += np.bincount(truth.ravel(), minlength=256)[:size]

    def scores(self) -> dict[str, float]:
        """Return Dice per class from 1 on that the mask or the labels show; nothing without labels."""
        shown = range(1, len(self._names)) if self._compared else range(0)
        return {self._names[n]: float(2 * self._both[n] / self._sum[n]) for n in shown if self._sum[n]}
