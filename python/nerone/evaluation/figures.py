"""The paper's Fig. 3 (bars) and Fig. 4 (masks), drawn from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.evaluation.evaluate import Scored
from nerone.evaluation.experiments import Experiment
from nerone.evaluation.overlay import OverlayRow, write_overlay
from nerone.evaluation.speed import Speed
from nerone.runtime.presets import preset
from nerone.zoo.models import NETWORKS

__all__ = ["draw_efficiency", "draw_masks", "shown_image"]

_BLUE, _ORANGE = "#0072B2", "#E69F00"


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
    rows = [
        OverlayRow(
            shown_image(scored.values, experiment.task),
            {"ground truth": scored.truth, **scored.classes},
            f"{scored.frame.frame.source.name.split('.')[0][:18]}, {scored.frame.frame.index}",
        )
        for scored in kept
    ]
    volume = bool(kept) and kept[0].frame.frame.source.suffix == ".gz"
    turn = 1 if volume or experiment.task == "brats" else 0
    return write_overlay(path, rows, class_names=names, colours=chosen.colours[: len(names)], title=title, turn=turn)


def draw_efficiency(path: Path, speeds: Mapping[str, tuple[Speed | None, Speed | None]]) -> Path:
    """Draw energy efficiency, INT8 beside FP32; without a power sensor images per second, and say so.

    Parameters
    ----------
    speeds : mapping of a network's title to its speeds, INT8 on the software DPU and FP32 on the CPU
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = np.arange(len(speeds))
    metered = all(speed is None or speed.efficiency is not None for pair in speeds.values() for speed in pair)
    for shift, index, colour, name in ((-0.2, 0, _BLUE, "INT8, software DPU"), (0.2, 1, _ORANGE, "FP32, TensorFlow")):
        shown = [
            None if speed is None else speed.efficiency or speed.fps for speed in (p[index] for p in speeds.values())
        ]
        heights = [0.0 if item is None else item.mean for item in shown]
        errors = [0.0 if item is None or np.isnan(item.deviation) else item.deviation for item in shown]
        axes.bar(places + shift, heights, 0.38, yerr=errors, color=colour, label=name, capsize=3)
    axes.set_xticks(places, list(speeds))
    axes.set_ylabel("images per second per watt" if metered else "images per second")
    axes.set_title(
        "" if metered else "no power sensor on this machine: FPS/W is n/a, images per second are shown", fontsize=10
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
    return path
