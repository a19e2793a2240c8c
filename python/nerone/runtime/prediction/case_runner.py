"""One case after the other through an open pipeline: read, run, written, scored, noted in the manifest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.compat import zip
from nerone.data.frame import Frame
from nerone.data.geometry import geometry_notes
from nerone.data.prepared import source_statistics
from nerone.data.source import Source
from nerone.data.value_range import ValueNotes
from nerone.errors import Error
from nerone.runtime.frame import Frame as PipelineFrame
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.cases import Case
from nerone.runtime.prediction.manifest import Manifest
from nerone.runtime.prediction.options import RunOptions
from nerone.runtime.prediction.results import Result, write_results
from nerone.runtime.prediction.scores import Dice
from nerone.runtime.preprocessing import Statistics
from nerone.runtime.preprocessing.image_grid import classes_on_image_grid, on_image_grid

__all__ = ["CaseRunner", "Progress", "Written", "open_pipeline"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Written:
    """One result.

    Attributes
    ----------
    source, target : Path, the file it came from and the file it went to
    counts : pixels, or the one image, per class name
    notes : sentences on what is unusual about a volume: oblique, not axial, pixels not square, other values
    volumes_ml : millilitres per class name; empty of pictures
    dice : per class name, where labels lie beside the scan and were asked for
    seconds : float, of the case
    resumed : bool, whether an earlier run wrote it
    """

    source: Path
    target: Path
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    volumes_ml: dict[str, float] = field(default_factory=dict)
    dice: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    resumed: bool = False


def open_pipeline(bundle: Bundle, options: RunOptions) -> Pipeline:
    """Open the pipeline of a run, with the result that its masks or tables are made of."""
    classes = bundle.output.kind == "segmentation" and options.resample == "nearest"
    result: Literal["classes", "probabilities"] = "classes" if classes else "probabilities"
    return Pipeline(bundle, backend=options.backend, device=options.device, threads=options.threads, result=result)


def _scored(masks: Iterator[tuple[Frame, NDArray[np.uint8]]], dice: Dice) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    for frame, mask in masks:
        dice.count(frame, mask)
        yield frame, mask


class CaseRunner:
    """Runs cases.

    Parameters
    ----------
    bundle, options : of the run
    pipeline : of `open_pipeline`
    root : the folder that is run
    output : where results go
    single : the very file to write, where one file is run
    manifest : where each case is noted, if anywhere
    progress : called with ("images", done, total)
    total : frames of all cases

    Attributes
    ----------
    rows : lines of a classification's table so far
    values : what the values of the scans lie outside of
    """

    def __init__(
        self,
        bundle: Bundle,
        pipeline: Pipeline,
        options: RunOptions,
        root: Path,
        output: Path,
        *,
        single: Path | None = None,
        manifest: Manifest | None = None,
        progress: Progress | None = None,
        total: int = 0,
    ) -> None:
        self.bundle, self.pipeline, self.options = bundle, pipeline, options
        self.root, self.output, self.single, self.manifest = root, output, single, manifest
        self._progress, self._total, self._done = progress, total, 0
        self.rows: list[list[str]] = []
        self.values = ValueNotes(bundle.calibration_values(), bundle.preprocessing)

    def case(self, case: Case) -> list[Written]:
        """Run one scan, or take what an earlier run wrote of it.

        Raises
        ------
        ConfigurationError, ShapeError, DtypeError, DeviceError
            of the case; the next one can be run.
        """
        line = self.manifest.finished(case) if self.manifest and self.options.resume else None
        if line is not None:
            self._advance(case.source.count)
            self.rows += line["result"].get("rows", [])
            return [_from_line(case.source.path, values) for values in line["result"]["written"]]
        began, rows = time.perf_counter(), len(self.rows)
        try:
            found = self._run(case)
        except Error as error:
            if self.manifest:
                self.manifest.add(case, time.perf_counter() - began, [], {}, str(error))
            raise
        seconds = time.perf_counter() - began
        found = [replace(one, seconds=seconds) for one in found]
        if self.manifest:
            files = [] if self.bundle.output.kind == "classification" else [one.target for one in found]
            result = {"written": [_to_line(one) for one in found], "rows": self.rows[rows:]}
            self.manifest.add(case, seconds, files, result)
        return found

    def _run(self, case: Case) -> list[Written]:
        statistics = source_statistics(case.source, self.bundle.preprocessing)
        results = self._results(self._counted(case.source.read()), statistics)
        if self.bundle.output.kind == "classification":
            return [self._classify(frame, found) for frame, found in results]
        masks, dice = self._masks(results), None
        if self.options.dice:
            dice = Dice(self.bundle, case.source, self.root)
            masks = _scored(masks, dice)
        done = write_results(self.bundle, case.source, masks, case.stem, self.options, self.single)
        found = self._written(case.source, done)
        return [replace(found[0], dice=dice.scores()), *found[1:]] if dice and found else found

    def _written(self, source: Source, done: Result) -> list[Written]:
        names = self.bundle.output.class_names
        notes: tuple[str, ...] = ()
        if done.first is not None and done.first.affine is not None:
            notes = (*geometry_notes(done.first.affine), *self.values.notes(source.path))
        found = []
        for number, (target, counts) in enumerate(done.targets):
            by_class = {name: int(count) for name, count in zip(names, counts, strict=True)}
            volumes = {name: count * done.voxel_ml for name, count in by_class.items()} if done.voxel_ml else {}
            found.append(Written(source.path, target, by_class, notes if number == 0 else (), volumes))
        return found

    def _masks(self, results: Iterator[tuple[Frame, NDArray[Any]]]) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
        steps, covers = self.bundle.preprocessing, self.bundle.output.covers
        for frame, found in results:
            size, spacing = (int(frame.image.shape[0]), int(frame.image.shape[1])), frame.spacing_mm
            if self.options.resample == "linear":
                yield frame, classes_on_image_grid(steps, found, size, spacing_mm=spacing, covers=covers)
            else:
                yield frame, on_image_grid(steps, found, size, spacing_mm=spacing, covers=covers)

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress("images", self._done, self._total)

    def _counted(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.values.add(frame)
            yield frame
            self._advance(1)

    def _results(self, frames: Iterable[Frame], statistics: Statistics | None) -> Iterator[tuple[Frame, NDArray[Any]]]:
        """Give each frame with what the network said of it, in order; several are on their way at once."""
        waiting: deque[Frame] = deque()

        def given() -> Iterator[PipelineFrame]:
            for frame in frames:
                waiting.append(frame)
                yield PipelineFrame(frame.image, frame.spacing_mm, statistics)

        for found in self.pipeline.map(given()):
            yield waiting.popleft(), found

    def _classify(self, frame: Frame, scores: NDArray[Any]) -> Written:
        name = self.bundle.output.class_names[int(scores.argmax())]
        place = str(frame.source) if frame.count == 1 else f"{frame.source}:{frame.index}"
        self.rows.append([place, name, *(f"{score:.6g}" for score in scores)])
        return Written(frame.source, self._table(), {name: 1})

    def _table(self) -> Path:
        if self.output.suffix == ".csv":
            return self.output
        shard = "" if self.options.shard is None else "-{}-of-{}".format(*self.options.shard)
        return self.output / f"predictions{shard}.csv"


def _to_line(one: Written) -> dict[str, Any]:
    told = {"counts": one.counts, "notes": list(one.notes), "volumes_ml": one.volumes_ml, "dice": one.dice}
    return {"target": str(one.target), **told}


def _from_line(source: Path, values: Mapping[str, Any]) -> Written:
    return Written(
        source,
        Path(values["target"]),
        dict(values["counts"]),
        tuple(values["notes"]),
        dict(values["volumes_ml"]),
        dict(values.get("dice", {})),
        resumed=True,
    )
