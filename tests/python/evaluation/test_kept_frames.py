"""Which frames the report's pictures show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame
from nerone.evaluation.evaluate import Scored
from nerone.evaluation.figures import _short_number
from nerone.evaluation.reproduce import _Keeper


def scored(source: str, index: int | None, pixels: int, count: int = 100) -> Scored:
    truth = np.zeros((20, 20), np.uint8)
    truth.ravel()[:pixels] = 1
    frame = Frame(truth, Path(source), index, count)
    return Scored(LabelledFrame(frame, truth), np.zeros((20, 20, 1), np.float32), truth, {})


def test_the_slices_that_show_most_are_kept_but_no_neighbours() -> None:
    keeper = _Keeper(3)
    for index in range(100):
        keeper(scored("one", index, 200 - abs(50 - index)))
    kept = sorted(item.frame.frame.index for item in keeper.kept)
    assert 50 in kept
    assert len(kept) == 3
    assert np.diff(kept).min() > 10


def test_every_volume_comes_first() -> None:
    keeper = _Keeper(3)
    for source, pixels in (("one", 300), ("two", 20), ("three", 10)):
        for index in (0, 50):
            keeper(scored(source, index, pixels + index // 10))
    assert {item.frame.frame.source.name for item in keeper.kept} == {"one", "two", "three"}


def test_pictures_have_no_neighbours() -> None:
    keeper = _Keeper(2)
    for pixels in (5, 7, 9):
        keeper(scored("folder", None, pixels, count=1))
    assert [np.count_nonzero(item.truth) for item in keeper.kept] == [9, 7]


def test_numbers_over_bars_have_no_power_of_ten() -> None:
    assert [_short_number(value) for value in (1222.3, 533.4, 73.44, 0.01234)] == ["1222", "533", "73.4", "0.0123"]
