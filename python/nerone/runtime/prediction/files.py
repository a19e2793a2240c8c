"""Files through a bundle: NIfTI and DICOM volumes give NIfTI masks, pictures PNG masks, classifications one CSV."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.bundle.writing import replacing_file, write_error
from nerone.data.frame import Frame
from nerone.data.geometry import geometry_notes
from nerone.data.grid import written_grid
from nerone.data.nifti import write_mask
from nerone.data.prepared import source_statistics
from nerone.data.sources import Source, find_sources
from nerone.data.value_range import ValueNotes
from nerone.errors import Error
from nerone.runtime.frame import Frame as PipelineFrame
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.preprocessing import Statistics
from nerone.runtime.preprocessing.image_grid import on_image_grid

__all__ = ["Written", "predict_files"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Written:
    """One result.

    Attributes
    ----------
    source, target : Path, the file it came from and the file it went to
    counts : pixels, or the one image, per class name
    notes : sentences on a volume that lies unusually: oblique, not axial, pixels not square
    """

    source: Path
    target: Path
    counts: dict[str, int]
    notes: tuple[str, ...] = ()


def predict_files(
    bundle: Bundle,
    scans: str | Path,
    output: str | Path,
    *,
    device: str = "softdpu",
    backend: Literal["vart", "pynq"] = "vart",
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Written], list[tuple[Path, str]]]:
    """Run every scan or picture of a path and write the results.

    Parameters
    ----------
    bundle : Bundle
    scans : file or folder, as `nerone.data.frames` reads them
    output : folder; for a single file also a file name
    device : "softdpu" or "board"
    backend : "vart", the C++ pipeline, or "pynq", the paper's loop in Python
    skip_bad : leave out files that cannot be read, and list them

    Returns
    -------
    What was written, and (file, reason) of what was left out. Masks hold the data set's label ids where the bundle has
    them, class numbers otherwise, on the grid of the scan with its affine.

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        naming the file.
    """
    sources, skipped = find_sources(scans, skip_bad=skip_bad, steps=bundle.preprocessing)
    root = Path(scans) if Path(scans).is_dir() else Path(scans).parent
    single = len(sources) == 1 and Path(scans).is_file()
    result: Literal["classes", "probabilities"] = "classes"
    if bundle.output.kind == "classification":
        result = "probabilities"
    written: list[Written] = []
    with Pipeline(bundle, backend=backend, device=device, result=result) as pipeline:
        work = _Work(bundle, pipeline, root, Path(output), progress, sum(s.count for s in sources))
        for source in sources:
            try:
                written += work.source(source, single)
            except Error as error:
                if not skip_bad:
                    raise type(error)(
                        f"'{source.path}': {error}" if str(source.path) not in str(error) else str(error)
                    ) from error
                skipped.append((source.path, str(error)))
            except OSError as error:
                raise write_error(Path(output), error) from error
    if bundle.output.kind == "classification":
        _write_table(work, written)
    written = [
        replace(one, notes=(*one.notes, *work.values.notes(one.source.parent))) if first else one
        for one, first in _firsts(written)
    ]
    return written, skipped


def _firsts(written: list[Written]) -> Iterator[tuple[Written, bool]]:
    """Give each result and whether it is the first of its folder."""
    seen: set[Path] = set()
    for one in written:
        yield one, one.source.parent not in seen
        seen.add(one.source.parent)


class _Work:
    def __init__(
        self, bundle: Bundle, pipeline: Pipeline, root: Path, output: Path, progress: Progress | None, total: int
    ) -> None:
        self.bundle, self.pipeline, self.root, self.output = bundle, pipeline, root, output
        self.progress, self.total, self.done = progress, total, 0
        self.rows: list[list[str]] = []
        self._used: set[Path] = set()
        self.values = ValueNotes(bundle.calibration_values(), bundle.preprocessing)
        ids = bundle.output.label_ids or tuple(range(len(bundle.output.class_names)))
        self.ids = np.asarray(ids, np.uint8)

    def source(self, source: Source, single: bool) -> list[Written]:
        """Run the frames of one file or series."""
        statistics = source_statistics(source, self.bundle.preprocessing)
        results = self._results(self._counted(source.read()), statistics)
        if self.bundle.output.kind == "classification":
            return [self._classify(frame, found) for frame, found in results]
        first: Frame | None = None
        masks: list[NDArray[np.uint8]] = []
        for frame, found in results:
            first = first or frame
            size = (int(frame.image.shape[0]), int(frame.image.shape[1]))
            steps, covers = self.bundle.preprocessing, self.bundle.output.covers
            masks.append(on_image_grid(steps, found, size, spacing_mm=frame.spacing_mm, covers=covers))
        if first is None:
            return []
        if first.affine is not None:
            target = self._target(source.path, ".nii.gz", single)
            with replacing_file(target) as file:
                write_mask(file, *written_grid(self.ids[np.stack(masks, axis=-1)], first))
            notes = (*geometry_notes(first.affine), *self.values.notes(source.path))
            return [Written(source.path, target, self._counts(np.stack(masks)), notes)]
        return [self._picture(source.path, mask, number, len(masks), single) for number, mask in enumerate(masks)]

    def _counted(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.values.add(frame)
            yield frame
            self.done += 1
            if self.progress:
                self.progress("images", self.done, self.total)

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

    def _picture(self, source: Path, mask: NDArray[np.uint8], number: int, count: int, single: bool) -> Written:
        """Write a palette image: the pixels are class numbers, viewers show the bundle's colours."""
        from PIL import Image

        target = self._target(source, ".png" if count == 1 else f"_{number:04d}.png", single and count == 1)
        picture = Image.fromarray(mask)
        picture.putpalette([level for colour in self.bundle.output.colours for level in colour])
        with replacing_file(target) as file:
            picture.save(file)
        return Written(source, target, self._counts(mask))

    def _counts(self, mask: NDArray[np.uint8]) -> dict[str, int]:
        counts = np.bincount(mask.ravel(), minlength=len(self.bundle.output.class_names))
        return {name: int(count) for name, count in zip(self.bundle.output.class_names, counts, strict=False)}

    def _table(self) -> Path:
        return self.output if self.output.suffix == ".csv" else self.output / "predictions.csv"

    def _target(self, source: Path, ending: str, single: bool) -> Path:
        if single and self.output.name.endswith(ending) and not self.output.is_dir():
            return self.output
        relative = source.relative_to(self.root) if source.is_relative_to(self.root) else Path(source.name)
        stem = relative.name or source.name
        endings = (".nii.gz", ".nii", source.suffix.lower()) if source.is_file() else ()
        ending_there = next((known for known in endings if known and stem.lower().endswith(known)), "")
        stem = stem[: len(stem) - len(ending_there)]
        target, number = self.output / relative.parent / f"{stem}_mask{ending}", 1
        while target in self._used:
            number += 1
            target = self.output / relative.parent / f"{stem}_{number}_mask{ending}"
        self._used.add(target)
        return target


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
