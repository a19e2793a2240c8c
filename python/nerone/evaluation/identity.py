"""Frames through every path: VART and PYNQ-DPU, preprocessing in C++ and in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.backends.pynq import PynqLoop
from nerone.bundle.bundle import Bundle
from nerone.data.frame import Frame
from nerone.data.prepared import source_statistics
from nerone.data.reading import nothing_left
from nerone.data.sources import find_sources
from nerone.errors import ConfigurationError, Error
from nerone.evaluation.evaluate import XmodelNetwork
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.preprocessing import Resample, Resize, Statistics
from nerone.runtime.preprocessing.numpy_steps import apply, quantize

__all__ = ["PathsReport", "compare_paths", "stated_steps"]

Progress = Callable[[str, int, int], None]


def stated_steps(bundle: Bundle) -> int:
    """Return by how many steps of the input the C++ preprocessing may differ from numpy's: 1 where one resize follows
    another, else 0.
    """
    return int(sum(isinstance(step, (Resize, Resample)) for step in bundle.preprocessing.steps) > 1)


@dataclass
class PathsReport:
    """Result of the comparison.

    Attributes
    ----------
    allowed_steps : int, as of :func:`stated_steps`
    frames, pixels : int, masks compared and their pixels; a classification has one pixel per frame
    different_steps : int, largest difference of the two preprocessings, in steps of the int8 input
    different_inputs : int, values of the input that differ
    same_input : int, pixels in which VART and PYNQ differ where both get the same input, from either preprocessing
    across : int, pixels in which VART with the C++ preprocessing differs from PYNQ with numpy's
    skipped : (path, why) of what could not be read
    """

    allowed_steps: int
    frames: int = 0
    pixels: int = 0
    different_steps: int = 0
    different_inputs: int = 0
    same_input: int = 0
    across: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def identical(self) -> bool:
        """Whether equal inputs give equal masks, and inputs are as equal as stated."""
        explained = self.across == 0 or self.different_inputs > 0
        return self.same_input == 0 and self.different_steps <= self.allowed_steps and explained


class _Paths:
    """The opened paths of one bundle."""

    def __init__(self, bundle: Bundle, pipeline: Pipeline, loop: PynqLoop) -> None:
        self._steps = bundle.preprocessing
        self._engine = _core.Preprocess(bundle.preprocessing.to_dict())
        self._network = XmodelNetwork(bundle.host_model_path)
        self._fix_point = self._network.fix_point
        self._pipeline, self._loop = pipeline, loop

    def compare(self, frame: Frame, statistics: Statistics | None, report: PathsReport) -> None:
        """Send one frame along all paths and count the differences."""
        spacing, scale = frame.spacing_mm, np.float32(2.0**-self._fix_point)
        values = quantize(apply(self._steps, frame.image, spacing_mm=spacing, statistics=statistics), self._fix_point)
        fast = np.zeros(values.shape, np.int8)
        given = None if statistics is None else statistics.values
        self._engine.run(frame.image, self._fix_point, fast, spacing_mm=spacing, statistics=given)
        report.different_steps = max(report.different_steps, int(np.abs(fast.astype(int) - values).max()))
        report.different_inputs += int(np.count_nonzero(fast != values))
        submitted = self._pipeline.submit(frame.image, spacing_mm=spacing, statistics=statistics)
        vart, pynq = _ids(submitted.result()), _ids(self._loop.run(fast * scale))
        vart_numpy, pynq_numpy = _ids(self._network.scores(values * scale)), _ids(self._loop.run(values * scale))
        report.frames += 1
        report.pixels += vart.size
        report.same_input += int(np.count_nonzero(vart != pynq) + np.count_nonzero(vart_numpy != pynq_numpy))
        report.across += int(np.count_nonzero(vart != pynq_numpy))


def _ids(result: NDArray[Any]) -> NDArray[np.uint8]:
    """Return flat class ids of masks, of one class, or of scores (first maximum)."""
    found = np.asarray(result)
    ids = found.argmax(-1) if found.dtype.kind == "f" else found
    return np.ravel(ids).astype(np.uint8)


def compare_paths(
    bundle: Bundle,
    data: Path | str,
    *,
    limit: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> PathsReport:
    """Send the frames of a file or folder through VART and PYNQ-DPU, each prepared in C++ and in numpy, and compare.

    Parameters
    ----------
    bundle : Bundle
    data : file or folder as of :func:`nerone.data.frames`; labels are not needed
    limit : int or None, frames at most, spread over the data
    skip_bad : leave out files that cannot be read, and list them
    progress : called with ("comparing paths", done, total)

    Raises
    ------
    ConfigurationError
        If nothing can be read, or (without ``skip_bad``) a file is damaged.
    """
    sources, skipped = find_sources(data, skip_bad=skip_bad, steps=bundle.preprocessing)
    total = sum(source.count for source in sources)
    stride = 1 if limit is None else max(1, -(-total // limit))
    report = PathsReport(stated_steps(bundle), skipped=list(skipped))
    with Pipeline(bundle, threads=2) as pipeline, PynqLoop(bundle.host_model_path) as loop:
        paths = _Paths(bundle, pipeline, loop)
        passed = 0
        for source in sources:
            first, passed = -passed % stride, passed + source.count
            if first >= source.count:
                continue
            try:
                statistics = source_statistics(source, bundle.preprocessing)
                frames = islice(source.read(), first, None, stride)
                for frame in list(frames) if skip_bad else frames:
                    paths.compare(frame, statistics, report)
                    if progress is not None:
                        progress("comparing paths", report.frames, max(total // stride, report.frames))
            except Error as error:
                if not skip_bad:
                    raise
                report.skipped.append((source.path, str(error)))
    if not report.frames:
        raise ConfigurationError(nothing_left(f"'{data}' holds no frame to compare", report.skipped))
    return report
