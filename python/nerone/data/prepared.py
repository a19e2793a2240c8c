"""Labelled frames as a network sees them: prepared image, truth on the grid of its input."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.grid import check_orientation
from nerone.data.labelled import LabelledFrame, class_index
from nerone.data.source import Source
from nerone.errors import Error
from nerone.runtime.preprocessing import Preprocessing, Statistics
from nerone.runtime.preprocessing.network_grid import labels_on_grid
from nerone.runtime.preprocessing.numpy_steps import apply, volume_statistics

__all__ = ["prepared_frames", "source_statistics", "truth_on_grid"]


def prepared_frames(
    found: Iterable[LabelledFrame],
    steps: Preprocessing,
    class_names: tuple[str, ...],
    *,
    covers: Sequence[int] = (),
    skipped: list[tuple[Path, str]] | None = None,
) -> Iterator[tuple[LabelledFrame, NDArray[np.float32], Any]]:
    """Yield each frame, prepared for the network, and its truth on the network's grid.

    Parameters
    ----------
    found : labelled frames, those of a volume one after the other
    steps : Preprocessing
    class_names : class 0 first
    covers : (rows, columns) in the middle of the network's input that its output covers; all of it where empty
    skipped : list, where what does not fit is left out: each such source and why is added to it

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        A class that the network does not know, or an image that does not fit the preprocessing, naming the file;
        only without ``skipped``.
    """
    for volume in _volumes(found):
        source = volume[0].frame.source
        try:
            # All frames of a source or none: half a volume would be scored as if it were one.
            yield from (
                list(_prepared(volume, steps, class_names, covers))
                if skipped is not None
                else _prepared(volume, steps, class_names, covers)
            )
        except Error as error:
            named = str(error) if str(source) in str(error) else f"'{source}': {error}"
            if skipped is None:
                raise type(error)(named) from error
            skipped.append((source, named))


def _prepared(
    volume: list[LabelledFrame], steps: Preprocessing, class_names: tuple[str, ...], covers: Sequence[int]
) -> Iterator[tuple[LabelledFrame, NDArray[np.float32], Any]]:
    statistics = volume_statistics(steps, [member.frame.image for member in volume]) if steps.volume_steps else None
    check_orientation(volume[0].frame, steps)
    for member in volume:
        spacing = member.frame.spacing_mm
        values = apply(steps, member.frame.image, spacing_mm=spacing, statistics=statistics)
        yield member, values, truth_on_grid(member, steps, class_names, covers)


def _volumes(found: Iterable[LabelledFrame]) -> Iterator[list[LabelledFrame]]:
    for _, members in itertools.groupby(found, key=lambda item: item.frame.source):
        yield list(members)


def truth_on_grid(
    item: LabelledFrame, steps: Preprocessing, class_names: tuple[str, ...], covers: Sequence[int] = ()
) -> Any:
    """Return the truth of a frame: one class number, or (h, w) of them on the grid of the network's input.

    Of the middle of that grid only, ``covers`` rows and columns, where these are given.
    """
    if isinstance(item.truth, str):
        return class_index(item.truth, class_names)
    return labels_on_grid(steps, item.truth, spacing_mm=item.frame.spacing_mm, covers=covers)


def source_statistics(source: Source, preprocessing: Preprocessing) -> Statistics | None:
    """Return what the volume-scoped steps need to know of a volume, or None where there are none."""
    if not preprocessing.volume_steps:
        return None
    return volume_statistics(preprocessing, [frame.image for frame in source.read()])
