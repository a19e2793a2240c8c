"""The demonstration: the U-Net that comes trained is deployed, segments phantoms and real scans, and is scored
and drawn.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.compat import zip
from nerone.data.labelled import labelled_frames
from nerone.data.phantom_sets import write_phantoms
from nerone.data.sources import frames
from nerone.deployment.make_bundle import deploy
from nerone.evaluation.evaluate import Evaluation, Scored, evaluate_bundle
from nerone.evaluation.overlay import OverlayRow, write_overlay
from nerone.evaluation.speed import integer_speed
from nerone.zoo.shipped import shipped_model

__all__ = ["DemoReport", "DemoScores", "run_demo"]

CALIBRATION_SEED, TEST_SEED = 70_000, 80_000  # far from the training phantoms' seeds
ROWS = 5
CALIBRATION_VOLUMES, CALIBRATION_SLICES, CALIBRATION_IMAGES = 16, 16, 128
# The bladder is in a tenth of the slices only; a few dozen images of each class give safe positions.
CLASS_SHARES: dict[str | int, float] = {"bladder": 0.2}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DemoScores:
    """Scores on one data set, and its picture."""

    name: str
    evaluation: Evaluation
    picture: Path


@dataclass
class DemoReport:
    """Measurements of the demonstration.

    Attributes
    ----------
    bundle : Bundle
    scores : per data set
    engine_fps : float, images per second of one thread of the software DPU, the network alone
    pipeline_fps : float, images per second from Hounsfield units to masks with ``threads`` threads
    threads : int
    seconds : float, of the whole demonstration
    """

    bundle: Bundle
    scores: list[DemoScores] = field(default_factory=list)
    engine_fps: float = 0.0
    pipeline_fps: float = 0.0
    threads: int = 1
    seconds: float = 0.0


def _show_ct(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the soft-tissue window (-160 to 240 HU) of prepared CT values, which run from -500 to 1000 HU."""
    low, high = ((hu + 500) / 750 - 1 for hu in (-160, 240))
    return np.asarray(np.clip(values[:, :, 0], low, high), np.float32)


class _Gallery:
    """Keeps the frames that show most classes, spread over the volumes, for the picture."""

    def __init__(self) -> None:
        self.kept: dict[Path, list[tuple[int, Scored]]] = {}

    def __call__(self, scored: Scored) -> None:
        found = self.kept.setdefault(scored.frame.frame.source, [])
        found.append((len(np.unique(scored.truth)), scored))
        if len(found) > 400:  # long volumes: every other slice is plenty
            del found[::2]

    def rows(self, count: int) -> list[OverlayRow]:
        """Return about ``count`` slices: of each volume, of each of its equal parts, the one with most classes."""
        shares = [len(part) for part in np.array_split(np.arange(max(count, len(self.kept))), len(self.kept))]
        best = []
        for found, share in zip(self.kept.values(), shares, strict=True):
            for part in np.array_split(np.arange(len(found)), min(share, len(found))):
                best.append(max((found[i] for i in part), key=lambda item: item[0])[1])
        return [
            OverlayRow(
                _show_ct(scored.values),
                {"ground truth": scored.truth, **scored.classes},
                f"{scored.frame.frame.source.name.split('.')[0]}, slice {scored.frame.frame.index}",
            )
            for scored in best[: 2 * count]
        ]


def _score(bundle: Bundle, data: Path, baseline: Any, name: str, output: Path, progress: Progress | None) -> DemoScores:
    gallery = _Gallery()
    evaluation = evaluate_bundle(bundle, data, baseline=baseline, skip_bad=True, seen=gallery, progress=progress)
    picture = write_overlay(
        output / f"overlay-{name}.png",
        gallery.rows(ROWS),
        class_names=bundle.output.class_names,
        colours=bundle.output.colours,
        title=f"U-Net on {name}: input, ground truth, INT8 and FP32",
        turn=1,
    )
    return DemoScores(name, evaluation, picture)


def _pipeline_fps(bundle: Bundle, data: Path, threads: int, seconds: float) -> float:
    """Return images per second from Hounsfield units to masks, preprocessing included, reading of files excluded."""
    from nerone.runtime.pipeline import Frame, Pipeline

    pictures = [Frame(frame.image, frame.spacing_mm) for frame in frames(data, steps=bundle.preprocessing)]
    with Pipeline(bundle.path, threads=threads) as pipeline:
        for _ in pipeline.map(pictures[: 2 * threads]):
            pass
        start = time.perf_counter()
        endless = itertools.takewhile(lambda _: time.perf_counter() - start < seconds, itertools.cycle(pictures))
        count = sum(1 for _ in pipeline.map(endless))
        return count / (time.perf_counter() - start)


def run_demo(
    output: Path | str = "demo-output",
    *,
    data: Path | str | None = None,
    threads: int = 2,
    calibration_volumes: int = CALIBRATION_VOLUMES,
    test_slices: int = 24,
    seconds: float = 4.0,
    progress: Progress | None = None,
) -> DemoReport:
    """Deploy the trained U-Net, segment phantom volumes and real scans, score and draw them.

    Parameters
    ----------
    output : folder for the bundle, the phantoms and the pictures
    data : folder of CT volumes with labels, or None
    threads : int, of the throughput measurement
    calibration_volumes, test_slices : int, phantoms that are drawn: volumes of 16 slices to calibrate with, and the
        slices of each of three volumes to score
    seconds : float, how long each throughput is measured
    progress : called with (what, done, total)

    Returns
    -------
    DemoReport

    Raises
    ------
    ConfigurationError
        If the folder of scans holds nothing that can be scored.
    """
    start, output = time.perf_counter(), Path(output)
    if data is not None:
        labelled_frames(data, skip_bad=True)
    calibration, test = output / "phantoms" / "calibration", output / "phantoms" / "test"
    if progress is not None:
        progress("drawing phantoms", 0, 2)
    write_phantoms("ct-org", calibration, count=calibration_volumes, seed=CALIBRATION_SEED, slices=CALIBRATION_SLICES)
    write_phantoms("ct-org", test, count=3, seed=TEST_SEED, slices=test_slices)
    if progress is not None:
        progress("drawing phantoms", 2, 2)
    trained = shipped_model("ct-org")
    bundle = deploy(
        trained,
        calibration=calibration,
        preset="ct-org",
        board="host",
        output=output / "unet.nerone",
        images=CALIBRATION_IMAGES,
        class_shares=CLASS_SHARES,
        progress=progress,
    )
    report = DemoReport(bundle, threads=threads)
    report.scores.append(_score(bundle, test, trained, "phantoms", output, progress))
    if data is not None:
        report.scores.append(_score(bundle, Path(data), trained, "scans", output, progress))
    report.engine_fps = integer_speed(bundle.host_model_path, seconds=seconds, runs=1).fps.mean
    report.pipeline_fps = _pipeline_fps(bundle, test, threads, seconds)
    report.seconds = time.perf_counter() - start
    return report
