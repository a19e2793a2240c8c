"""The paper's Fig. 3 (bars) and Fig. 4 (masks), drawn from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.compilation.paper.table import TABLE1, paper_row
from nerone.evaluation.evaluate import Scored
from nerone.evaluation.experiments import Experiment
from nerone.evaluation.intervals import Summary
from nerone.evaluation.overlay import OverlayRow, write_overlay
from nerone.evaluation.paper import BOARD_NAMES, TITLES
from nerone.evaluation.throughput import ALONE, FLOAT, GPU, INTEGER, Measured
from nerone.runtime.presets import preset
from nerone.zoo.models import NETWORKS

__all__ = ["draw_efficiency", "draw_masks", "shown_image", "upright"]

# Okabe and Ito's palette, told apart with every common colour blindness.
_COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#D55E00")

BoardResults = Mapping[tuple[str, str], Sequence[Measured]]


def shown_image(values: NDArray[np.float32], task: str) -> NDArray[Any]:
    """Return the prepared image as people look at it: CT in the soft-tissue window, of MR the first modality."""
    plane = values[:, :, 0]
    if task != "ct-org":
        return plane
    low, high = ((hu + 500) / 750 - 1 for hu in (-160, 240))
    return np.clip(plane, low, high)


def draw_masks(path: Path, kept: Sequence[Scored], experiment: Experiment, title: str) -> Path:
    """Draw input, ground truth and each network's mask of a few frames."""
    chosen = preset(NETWORKS[experiment.task].preset)
    names = experiment.evaluation.class_names
    rows = []
    for scored in kept:
        frame = scored.frame.frame
        masks = {"ground truth": scored.truth, **scored.classes}
        where = "" if frame.index is None else f", slice {frame.index}"
        rows.append(
            OverlayRow(
                upright(shown_image(scored.values, experiment.task), frame.affine),
                {name: upright(mask, frame.affine) for name, mask in masks.items()},
                f"{_short(frame.source)}{where}",
            )
        )
    return write_overlay(path, rows, class_names=names, colours=chosen.colours[: len(names)], title=title)


def _short_number(value: float) -> str:
    """Return three digits, or all of a large number, without a power of ten."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _short(source: Path) -> str:
    """Return the part of a path that names the patient: the last one of letters and then a number."""
    named = [part for part in source.parts if part[0].isalpha() and any(letter.isdigit() for letter in part)]
    return (named[-1] if named else source.name).split(".")[0][:24]


def upright(image: NDArray[Any], affine: NDArray[np.float64] | None) -> NDArray[Any]:
    """Turn an axial slice as radiologists look at it: front of the body up, the patient's right on the left.

    Parameters
    ----------
    image : (H, W)
    affine : (4, 4) of the frame, index to millimetres right-anterior-superior, or None: then nothing is turned
    """
    if affine is None:
        return image
    steps = affine[:2, :2]
    across = int(np.argmax(np.abs(steps[0])))
    if abs(steps[1, 1 - across]) <= abs(steps[1, across]):
        return image  # no axial slice
    if steps[0, across] > 0:
        image = np.flip(image, across)
    if steps[1, 1 - across] > 0:
        image = np.flip(image, 1 - across)
    return image if across == 1 else image.T


def _series(found: Sequence[Experiment], boards: BoardResults) -> dict[str, list[Measured | None]]:
    """Return by backend and device one row per experiment; None where it was not measured. Nothing simulated."""
    series: dict[str, list[Measured | None]] = {}
    for place, item in enumerate(found):
        alone = [row for row in item.speeds if row.what == ALONE and not row.simulated]
        rows = [(_label(row), row) for row in alone]
        for (task, _), results in boards.items():
            rows += [(f"{row.backend} on {row.device}", row) for row in results if task == item.task]
        for label, row in rows:
            series.setdefault(label, [None] * len(found))[place] = row
    return series


def _label(row: Measured) -> str:
    return {INTEGER: "INT8, software DPU, 1 thread", FLOAT: "FP32, TensorFlow on CPU", GPU: f"FP32, {row.device}"}[
        row.backend
    ]


def _bars(axes: Any, series: Mapping[str, Sequence[Summary | None]], label: str) -> None:
    width = 0.8 / max(len(series), 1)
    for index, (name, summaries) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        places = np.arange(len(summaries)) + (index - (len(series) - 1) / 2) * width
        heights = [0.0 if item is None else item.mean for item in summaries]
        errors = [np.nan if item is None else item.deviation for item in summaries]
        axes.bar(places, heights, 0.92 * width, yerr=errors, color=colour, label=name, capsize=3)
        for place, item, error in zip(places, summaries, errors, strict=True):
            text, height = (
                ("n/a", 0.0) if item is None else (_short_number(item.mean), item.mean + np.nan_to_num(error))
            )
            axes.annotate(text, (place, height), (0, 4), textcoords="offset points", ha="center", fontsize=8)
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)
    if not any(item for summaries in series.values() for item in summaries):
        axes.set_ylim(0, 1)
        axes.set_yticks([])


def _paper_series(tasks: Sequence[str]) -> dict[str, list[Summary | None]]:
    """Return the efficiencies of the paper's Table I by device and backend, one per task, and their average."""
    series: dict[str, list[Summary | None]] = {}
    for backend, device in dict.fromkeys((row.backend, row.device) for row in TABLE1):
        rows = [paper_row(task, backend, device) for task in tasks]
        values = [Summary(row.efficiency.mean, row.efficiency.deviation or float("nan"), 5) for row in rows]
        average = Summary(float(np.mean([value.mean for value in values])), float("nan"), len(values))
        projected = ", projected but for CT-ORG" if backend == "VART" else ""
        series[f"{backend} on {BOARD_NAMES.get(device, device)}{projected}"] = [*values, average]
    return series


def draw_efficiency(path: Path, found: Sequence[Experiment], boards: BoardResults, tasks: Sequence[str]) -> Path:
    """Draw energy efficiency (equation 1) as the paper has it and as it is here, and throughput beside it.

    Where this machine has no power sensor, "n/a" stands in place of its bars.

    Parameters
    ----------
    found : experiments with their own networks
    tasks : those of which the paper's values are drawn
    boards : results that were brought from boards, as of :func:`nerone.evaluation.throughput.board_results`
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8.4), layout="constrained")
    FigureCanvasAgg(figure)
    halves = figure.subfigures(2, 1, squeeze=False)
    paper, below = halves[0, 0], halves[1, 0]
    above = paper.subplots()
    _bars(above, _paper_series(tasks), "images per second per watt")
    above.set_title("energy efficiency, the paper's", fontsize=11)
    left, right = below.subplots(1, 2)
    series = _series(found, boards)
    efficiency = {name: [None if row is None else row.efficiency for row in rows] for name, rows in series.items()}
    rates = {name: [None if row is None else row.fps for row in rows] for name, rows in series.items()}
    _bars(left, efficiency, "images per second per watt")
    _bars(right, rates, "images per second")
    reason = "" if _any(efficiency) else ": no power sensor on this machine"
    left.set_title(f"energy efficiency here{reason}", fontsize=11)
    right.set_title("throughput here, of the network alone", fontsize=11)
    names = [TITLES[task].replace(" (", "\n(") for task in tasks]
    above.set_xticks(np.arange(len(names) + 1), [*names, "average"], fontsize=9)
    for axes in (left, right):
        axes.set_xticks(np.arange(len(found)), [TITLES[item.task].replace(" (", "\n(") for item in found], fontsize=9)
    for part, axes in ((paper, above), (below, right)):
        part.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
    return path


def _any(series: Mapping[str, Sequence[Summary | None]]) -> bool:
    return any(item is not None for summaries in series.values() for item in summaries)
