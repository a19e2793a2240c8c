"""The draw of calibration images over all of the data: by class where they have labels, which are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.data.labelled import (
    LabelledFrame,
    LabelledFrames,
    LabelledSource,
    class_index,
    labelled_frames,
    pair_sources,
)
from nerone.data.prepared import source_statistics, truth_on_grid
from nerone.data.sources import find_sources
from nerone.data.value_range import StoredValues
from nerone.deployment.calibration_images import Progress, calibration_images, spread, wanted_images
from nerone.deployment.request import CalibrationDraw, ClassTargets
from nerone.errors import ConfigurationError, Error, ShapeError
from nerone.graph import Graph
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.calibration.sampling import Sampling, class_presence, coverage, sample
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.preprocessing.numpy_steps import apply

__all__ = ["Drawn", "Reader", "draw", "labelled_arrays"]
_CALIBRATION = "calibration images"


@dataclass(frozen=True)
class Reader:
    """How images and labels are prepared for a network.

    Attributes
    ----------
    steps : Preprocessing
    class_names : class 0 first
    segmentation : bool, labels are masks; one class per image otherwise
    progress : called with (what, done, total), or None
    covers : (rows, columns) in the middle of the input that the output covers; empty where that is all of it
    values : takes in the stored values of the calibration images
    """

    steps: Preprocessing
    class_names: tuple[str, ...]
    segmentation: bool
    progress: Progress | None = None
    covers: tuple[int, ...] = ()
    values: StoredValues = field(default_factory=StoredValues)

    def truth(self, item: LabelledFrame) -> NDArray[np.uint8]:
        """Return class numbers: (h, w) on the grid of the network's input as far as the output covers it, or ()."""
        found = np.asarray(truth_on_grid(item, self.steps, self.class_names, self.covers), np.uint8)
        if (found.ndim == 2) != self.segmentation:
            has, wants = ("masks", "a class per image") if found.ndim == 2 else ("a class per image", "masks")
            raise ShapeError(f"the labels of '{item.frame.source}' are {has}, this network needs {wants}")
        return found

    def read(
        self, pairs: Sequence[LabelledSource], chosen: Sequence[Sequence[int]], what: str
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        """Yield (H, W, C) images and their truth, where ``chosen`` lists the frames of each source, ascending."""
        total, done = sum(len(own) for own in chosen), 0
        for pair, own in zip(pairs, chosen, strict=True):
            if not own:
                continue
            statistics = source_statistics(pair.source, self.steps)
            for item in _taken(pair, own):
                frame = item.frame
                if what == _CALIBRATION:
                    self.values.add(frame.image)
                values = apply(self.steps, frame.image, spacing_mm=frame.spacing_mm, statistics=statistics)
                yield values, self.truth(item)
                done += 1
                if self.progress:
                    self.progress(what, done, total)


@dataclass(frozen=True)
class Drawn:
    """Calibration images.

    Attributes
    ----------
    images : CalibrationSet
    labels : (N, h, w) or (N,) uint8 class numbers; None where there are none
    facts : JSON-ready, for the report
    warnings : one sentence each
    """

    images: CalibrationSet
    labels: NDArray[np.uint8] | None
    facts: dict[str, Any]
    warnings: tuple[str, ...] = ()


def draw(source: Any, graph: Graph, reader: Reader, wanted: CalibrationDraw) -> Drawn:
    """Draw calibration images.

    Parameters
    ----------
    source : file or folder, `nerone.data.LabelledFrames`, or an iterable of (H, W) or (H, W, C) arrays
    graph : Graph that is quantized
    reader : Reader
    wanted : CalibrationDraw

    Raises
    ------
    ConfigurationError
        Nothing to read; targets for classes without labels, or for unknown classes.
    """
    sampling = Sampling(
        images=wanted_images(wanted.images),
        seed=wanted.seed,
        shares=_numbered(wanted.class_shares, reader.class_names),
        factors=_numbered(wanted.class_factors, reader.class_names),
    )
    facts: dict[str, Any] = {"seed": wanted.seed, "class_shares": sampling.shares, "class_factors": sampling.factors}
    if sampling.shares or sampling.factors:
        return _by_class(_strict_pairs(source, reader.steps), graph, reader, sampling, facts)
    pairs = _pairs(source, reader.steps)
    warnings: tuple[str, ...] = ()
    if pairs:
        try:
            return _evenly(pairs, graph, reader, sampling, facts)
        except Error as error:
            # Calibration needs no labels: those that do not fit this network only leave the coverage unknown.
            facts["labels_left_out"] = str(error)
            if isinstance(source, LabelledFrames):
                raise
            if not reader.segmentation:
                warnings = (f"the folders of the calibration images are not the classes of the network: {error}",)
    arrays = calibration_images(
        source,
        reader.steps,
        images=sampling.images,
        seed=wanted.seed,
        progress=reader.progress,
        values=reader.values,
    )
    return Drawn(CalibrationSet(graph, arrays), None, facts, warnings)


def labelled_arrays(
    source: Any, reader: Reader, *, images: int, seed: int = 0, what: str = "labelled images"
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Read labelled images evenly spread over a folder.

    Parameters
    ----------
    source : folder of :func:`nerone.data.labelled_frames`, what that returns, or a tuple (images, truth): iterables of
        (H, W) or (H, W, C) arrays as stored, and of (H, W) masks or class numbers
    reader : Reader
    images : int, at most
    seed : int, shifts which are taken

    Returns
    -------
    (N, H, W, C) float32 prepared images, and (N, h, w) or (N,) uint8 class numbers

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        No labels, or labels that are not of this network.
    """
    if isinstance(source, tuple) and len(source) == 2:
        found = _given(source, reader, images, seed)
    else:
        pairs = _strict_pairs(source, reader.steps)
        found = list(reader.read(pairs, _split(pairs, spread(_total(pairs), images, seed)), what))
    if not found:
        raise ConfigurationError("there is no labelled image; give at least one")
    truth = np.stack([label for _, label in found])
    class_presence(truth, len(reader.class_names))
    return np.stack([image for image, _ in found]), truth


def _given(
    source: tuple[Any, Any], reader: Reader, images: int, seed: int
) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    from nerone.data.frame import Frame, plain

    pictures, truth = (list(part) for part in source)
    if len(pictures) != len(truth):
        raise ShapeError(f"there are {len(pictures)} images and {len(truth)} labels; give one label per image")
    found = []
    for index in spread(len(pictures), images, seed):
        frame = Frame(plain(np.asarray(pictures[index])), Path("the array"))
        label = np.asarray(truth[index])
        item = LabelledFrame(frame, reader.class_names[int(label)] if label.ndim == 0 else label)
        found.append((apply(reader.steps, frame.image), reader.truth(item)))
    return found


def _numbered(targets: ClassTargets, names: tuple[str, ...]) -> dict[int, float]:
    return {key if isinstance(key, int) else class_index(key, names): float(value) for key, value in targets.items()}


def _strict_pairs(source: Any, steps: Preprocessing) -> list[LabelledSource]:
    if isinstance(source, LabelledFrames):
        return list(source.turned(steps).pairs)
    if not isinstance(source, (str, Path)):
        raise ConfigurationError(
            f"labels are needed, a {type(source).__name__} has none; give a folder with labels, or what "
            "nerone.data.labelled_frames returns"
        )
    return list(labelled_frames(source, steps=steps).pairs)


def _pairs(source: Any, steps: Preprocessing) -> list[LabelledSource] | None:
    """Sources with labels where every one has them, else None."""
    if isinstance(source, LabelledFrames):
        return list(source.turned(steps).pairs)
    if not isinstance(source, (str, Path)):
        return None
    sources, _ = find_sources(source, steps=steps)
    root = Path(source) if Path(source).is_dir() else Path(source).parent
    pairs = pair_sources(sources, root)
    found = [pair for pair in pairs if isinstance(pair, LabelledSource)]
    return found if len(found) == len(pairs) else None


def _total(pairs: Sequence[LabelledSource]) -> int:
    return sum(pair.source.count for pair in pairs)


def _split(pairs: Sequence[LabelledSource], picked: NDArray[np.int64]) -> list[list[int]]:
    """Turn numbers over all frames into numbers within each source."""
    starts = np.cumsum([0, *(pair.source.count for pair in pairs)])
    limits = zip(starts[:-1], starts[1:], strict=True)
    return [(picked[(picked >= first) & (picked < end)] - first).tolist() for first, end in limits]


def _taken(pair: LabelledSource, own: Sequence[int]) -> Iterator[LabelledFrame]:
    """Frames of a source; the next one stands in for one that the data set leaves out."""
    position = 0
    for item in pair.read():
        if position < len(own) and (item.frame.index or 0) >= own[position]:
            position += 1
            yield item


def _evenly(
    pairs: list[LabelledSource], graph: Graph, reader: Reader, sampling: Sampling, facts: dict[str, Any]
) -> Drawn:
    images, labels = _gathered(
        pairs, _split(pairs, spread(_total(pairs), sampling.images, sampling.seed)), graph, reader
    )
    presence = class_presence(labels, len(reader.class_names))
    told = coverage(presence, range(len(presence)), reader.class_names)
    for row in told["classes"]:
        del row["natural_share"]
    return Drawn(images, labels, {**facts, "classes": told["classes"]}, tuple(told["warnings"]))


def _by_class(
    pairs: list[LabelledSource], graph: Graph, reader: Reader, sampling: Sampling, facts: dict[str, Any]
) -> Drawn:
    places: list[tuple[int, int]] = []
    rows = []
    for number, pair in enumerate(pairs):
        for item in pair.read():
            rows.append(class_presence([reader.truth(item)], len(reader.class_names))[0])
            places.append((number, item.frame.index or 0))
            if reader.progress:
                reader.progress("labels", len(rows), _total(pairs))
    presence = np.array(rows, np.bool_).reshape(-1, len(reader.class_names))
    picked = sample(presence, sampling)
    chosen: list[list[int]] = [[] for _ in pairs]
    for index in picked:
        number, frame = places[index]
        chosen[number].append(frame)
    told = coverage(presence, picked, reader.class_names)
    images, labels = _gathered(pairs, chosen, graph, reader)
    return Drawn(images, labels, {**facts, "classes": told["classes"]}, tuple(told["warnings"]))


def _gathered(
    pairs: list[LabelledSource], chosen: Sequence[Sequence[int]], graph: Graph, reader: Reader
) -> tuple[CalibrationSet, NDArray[np.uint8]]:
    labels: list[NDArray[np.uint8]] = []

    def images() -> Iterator[NDArray[np.float32]]:
        for image, label in reader.read(pairs, chosen, _CALIBRATION):
            labels.append(label)
            yield image

    return CalibrationSet(graph, images()), np.stack(labels)
