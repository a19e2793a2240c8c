"""Files through a bundle: volumes give masks in the format that is asked for, pictures PNG masks, classifications one
CSV.
"""

from __future__ import annotations

import csv
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.bundle.writing import replacing_file, write_error
from nerone.compat import zip
from nerone.data.frame import Frame
from nerone.data.geometry import geometry_notes
from nerone.data.prepared import source_statistics
from nerone.data.source import Source
from nerone.data.sources import find_sources
from nerone.data.value_range import ValueNotes
from nerone.errors import Error
from nerone.runtime.frame import Frame as PipelineFrame
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.cases import Case, in_shard, plan_cases
from nerone.runtime.prediction.manifest import Manifest
from nerone.runtime.prediction.options import RunOptions
from nerone.runtime.prediction.results import Result, write_results
from nerone.runtime.prediction.scores import Dice
from nerone.runtime.preprocessing import Statistics
from nerone.runtime.preprocessing.image_grid import classes_on_image_grid, on_image_grid

__all__ = ["Written", "predict_files"]

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


def predict_files(
    bundle: Bundle,
    scans: str | Path,
    output: str | Path,
    *,
    device: str = "softdpu",
    backend: Literal["vart", "pynq"] = "vart",
    skip_bad: bool = False,
    options: RunOptions | None = None,
    progress: Progress | None = None,
) -> tuple[list[Written], list[tuple[Path, str]]]:
    """Run every scan or picture of a path and write the results, one case after the other.

    Parameters
    ----------
    bundle : Bundle
    scans : file or folder, as `nerone.data.frames` reads them
    output : folder; for a single file also a file name
    device, backend, skip_bad : as of `RunOptions`, where no options are given
    options : RunOptions
    progress : called with ("images", done, total)

    Returns
    -------
    What was written, and (file, reason) of what was left out. NIfTI and PNG masks hold the data set's label ids where
    the bundle has them, class numbers otherwise, on the grid of the scan; NIfTI masks have its affine.

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        naming the file.
    """
    options = options or RunOptions(device=device, backend=backend, skip_bad=skip_bad)
    sources, skipped = find_sources(scans, skip_bad=options.skip_bad, steps=bundle.preprocessing)
    root = Path(scans) if Path(scans).is_dir() else Path(scans).parent
    single = Path(output) if len(sources) == 1 and Path(scans).is_file() else None
    cases = [case for case in plan_cases(sources, root, Path(output)) if in_shard(case, options.shard)]
    manifest = Manifest(Path(output), bundle, options) if options.keeps_manifest else None
    if manifest is not None and (options.shard is None or options.shard[0] == 1):
        for path, reason in skipped:
            manifest.left_out(path, reason)
    written: list[Written] = []
    classes = bundle.output.kind == "segmentation" and options.resample == "nearest"
    result: Literal["classes", "probabilities"] = "classes" if classes else "probabilities"
    with Pipeline(
        bundle, backend=options.backend, device=options.device, threads=options.threads, result=result
    ) as pipeline:
        work = _Work(bundle, pipeline, options, Path(output), single, manifest)
        work.root = root
        work.progress, work.total = progress, sum(case.source.count for case in cases)
        for case in cases:
            try:
                written += work.case(case)
            except Error as error:
                named = str(error) if str(case.source.path) in str(error) else f"'{case.source.path}': {error}"
                if not options.skip_bad:
                    raise type(error)(named) from error
                skipped.append((case.source.path, str(error)))
            except OSError as error:
                raise write_error(Path(output), error) from error
    if bundle.output.kind == "classification":
        _write_table(work, written)
    return _noted(written, work.values), skipped


def _noted(written: list[Written], values: ValueNotes) -> list[Written]:
    """Give the first result of each folder of pictures the folder's notes."""
    seen: set[Path] = set()
    noted = []
    for one in written:
        folder = one.source.parent
        noted.append(one if folder in seen else replace(one, notes=(*one.notes, *values.notes(folder))))
        seen.add(folder)
    return noted


def _scored(masks: Iterator[tuple[Frame, NDArray[np.uint8]]], dice: Dice) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    for frame, mask in masks:
        dice.count(frame, mask)
        yield frame, mask


class _Work:
    def __init__(
        self,
        bundle: Bundle,
        pipeline: Pipeline,
        options: RunOptions,
        output: Path,
        single: Path | None,
        manifest: Manifest | None,
    ) -> None:
        self.bundle, self.pipeline, self.options = bundle, pipeline, options
        self.output, self.single, self.manifest = output, single, manifest
        self.root = output
        self.progress: Progress | None = None
        self.total = self.done = 0
        self.rows: list[list[str]] = []
        self.values = ValueNotes(bundle.calibration_values(), bundle.preprocessing)

    def case(self, case: Case) -> list[Written]:
        """Run one scan, or take what an earlier run wrote of it."""
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
        self.done += count
        if self.progress:
            self.progress("images", self.done, self.total)

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


def _write_table(work: _Work, written: list[Written]) -> None:
    if not written:
        return
    table = written[0].target
    try:
        with replacing_file(table) as scratch, scratch.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["image", "class", *work.bundle.output.class_names])
            rows.writerows(work.rows)
    except OSError as error:
        raise write_error(table, error) from error
