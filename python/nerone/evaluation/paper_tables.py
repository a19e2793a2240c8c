"""The report's tables that set single statements of the paper beside what was measured: scores class by class, ratios
of efficiency (Fig. 3), seconds per scan, time of redeployment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerone.compat import zip
from nerone.compilation.paper.table import GPUS, TABLE1, PaperRow, paper_row
from nerone.evaluation.experiments import CALIBRATION_IMAGES, Experiment
from nerone.evaluation.metrics import one_against_rest
from nerone.evaluation.paper import (
    BOARD_NAMES,
    EFFICIENCY_RATIOS,
    MEAN_EFFICIENCY_RATIOS,
    REDEPLOYMENT_IMAGES,
    REDEPLOYMENT_MINUTES,
    REFERENCES,
    SCANS,
    TABLE2,
    TITLES,
)
from nerone.evaluation.report import Table
from nerone.evaluation.tables import NOT_HERE, plus_minus, scores_of
from nerone.evaluation.throughput import INTEGER, WHOLE, Measured
from nerone.quantization.metrics import percent

__all__ = [
    "efficiency_ratios",
    "efficiency_table",
    "paper_markdown",
    "redeployment_table",
    "scans_table",
    "scores_table",
]

_FLOAT = "TensorFlow, FP32"
_KV260, _V100 = ("PYNQ-DPU", "kv260"), (_FLOAT, "Tesla V100")
_ALL_CLASSES = "weighted Dice"
_NETWORKS = ("INT8", "FP32")
Cells = tuple[str, ...]


def _class_score(experiment: Experiment, network: str, metric: str) -> str:
    """Return a score of Table II in percent, "-" where the network or its data know no such class."""
    scores = scores_of(experiment, network)
    if scores is None:
        return "-"
    names = experiment.evaluation.class_names
    if metric in (_ALL_CLASSES, "accuracy"):
        return plus_minus(scores.score, 2, 100)
    if scores.confusion is not None:
        return percent(one_against_rest(scores.confusion)[names.index(metric)])
    found = scores.regions.get(metric)
    if found is None and metric in names:
        found = scores.classes[names.index(metric)]
    return "-" if found is None else plus_minus(found, 2, 100)


def scores_table(found: Sequence[Experiment], tasks: Sequence[str]) -> Table:
    """Return Table II with the two works that the paper compares with, and each network scored here beside it."""
    rows: list[Cells] = []
    for task in tasks:
        numbers = REFERENCES[task]
        if task != "bccd":
            whole = (paper_row(task, *column).score.words() for column in (_KV260, _V100))
            rows += _beside(task, _ALL_CLASSES, (*whole, "-", "-"), found)
        for row in (row for row in TABLE2 if row.task == task):
            works = tuple(f"{value} [{number}]" for value, number in zip(row.literature, numbers, strict=True))
            rows += _beside(task, row.metric, (row.integer.words(), row.floating.words(), *works), found)
    return Table(
        "table2-classes",
        "Table II: class by class, beside the literature",
        (
            "network",
            "metric",
            "paper, KV260 INT8",
            "paper, V100 FP32",
            "literature A",
            "literature B",
            "scored here",
            "here INT8",
            "here FP32",
        ),
        tuple(rows),
        "Dice in percent; of blood cells accuracy, of one class that of telling it from the other three (the paper's "
        "four values only add up to its accuracy so). Weighted Dice is Table I's. In brackets the work's number among "
        "the paper's references. Scores on other data than the paper's do not compare with the paper's.",
    )


def _beside(task: str, metric: str, stated: Cells, found: Sequence[Experiment]) -> list[Cells]:
    """Return a row of the paper once for each network that was scored here, or once where none was."""
    title = TITLES[task]
    if metric == "FPS":
        return [(title, metric, *stated, "Table I", "-", "-")]
    return [
        (title, metric, *stated, f"{item.network}, {item.data}", *(_class_score(item, n, metric) for n in _NETWORKS))
        for item in found
        if item.task == task
    ] or [(title, metric, *stated, "not scored", "-", "-")]


def efficiency_ratios(row: PaperRow) -> tuple[float, ...]:
    """Return a row's efficiency over that of each of GPUS, from the values of Table I."""
    return tuple(row.efficiency.mean / paper_row(row.task, _FLOAT, gpu).efficiency.mean for gpu in GPUS)


def efficiency_table(found: Sequence[Experiment], tasks: Sequence[str]) -> Table:
    """Return Fig. 3 in numbers: per board and task the efficiency, its ratios to the GPUs', and their averages."""
    rows: list[Cells] = []
    boards = dict.fromkeys((row.backend, row.device) for row in TABLE1 if row.device not in GPUS)
    for backend, device in boards:
        name = f"{backend} on {BOARD_NAMES[device]}"
        members = [row for row in TABLE1 if (row.backend, row.device) == (backend, device) and row.task in tasks]
        for row in members:
            cell = row.efficiency.words() + (" (projected)" if row.projected else "")
            said = EFFICIENCY_RATIOS[row.task] if (backend, device) == _KV260 else None
            rows.append((name, TITLES[row.task], cell, *_ratio_cells(efficiency_ratios(row), said)))
        mean = np.mean([row.efficiency.mean for row in members])
        ratios = np.mean([efficiency_ratios(row) for row in members], axis=0)
        best = MEAN_EFFICIENCY_RATIOS if (backend, device) == _KV260 and len(members) == len(TITLES) else None
        rows.append((name, "average", f"{mean:.2f}", *_ratio_cells(tuple(map(float, ratios)), best)))
    measured = [(item, row) for item in found for row in item.speeds if row.efficiency is not None]
    for item, speed in measured:
        label = f"here: {speed.backend}, {speed.device}"
        against = (paper_row(item.task, _FLOAT, gpu).efficiency.mean for gpu in GPUS)
        ratios_here = tuple(speed.efficiency.mean / value for value in against) if speed.efficiency else ()
        rows.append((label, TITLES[item.task], plus_minus(speed.efficiency, 2), *_ratio_cells(ratios_here, None)))
    absent = "" if measured else " No power was measured here."
    return Table(
        "fig3",
        "Fig. 3: energy efficiency, averages and ratios",
        ("device", "network", "FPS/W", *(f"over {gpu}" for gpu in GPUS), "the paper states"),
        tuple(rows),
        "Ratios are those of Table I's means; averages are over the networks, of the ratios too. The average over the "
        f"V100 that the paper states is more than that of the KV260's four ratios that it states beside it.{absent}",
    )


def _ratio_cells(ratios: tuple[float, ...], stated: tuple[float, ...] | None) -> Cells:
    cells = tuple(f"{ratio:.2f}x" for ratio in ratios)
    return (*cells, "-" if stated is None else " and ".join(f"{value}x" for value in stated))


def scans_table(found: Sequence[Experiment], tasks: Sequence[str]) -> Table:
    """Return seconds per scan: as the paper states them, at Table I's rates, and at those measured here."""
    rows: list[Cells] = []
    for task in (task for task in tasks if task in SCANS):
        scan, title = SCANS[task], TITLES[task]
        for row in (row for row in TABLE1 if row.task == task and row.device not in GPUS):
            backend = f"{row.backend} on {BOARD_NAMES[row.device]}" + (" (projected)" if row.projected else "")
            said = scan.stated if (row.backend, row.device) == ("PYNQ-DPU", "zcu104") else "-"
            rows.append((title, scan.words, backend, said, _seconds(scan.slices, row.fps.mean), "-"))
        for speed in (speed for item in found if item.task == task for speed in item.speeds if _whole(speed)):
            here = _seconds(scan.slices, speed.fps.mean) + (" (simulated)" if speed.simulated else "")
            rows.append((title, scan.words, f"{speed.backend}, {speed.device}", "-", "-", here))
    return Table(
        "scans",
        "Seconds per scan",
        ("network", "scan", "device", "the paper states", "slices at Table I's rate, s", "slices at the rate here, s"),
        tuple(rows),
        "Slices over images per second, image to mask; files are read before. The paper does not say how many slices "
        "its 1.42 s and 0.1 s are for, nor on which board; they stand beside the ZCU104's.",
    )


def _whole(speed: Measured) -> bool:
    return speed.what == WHOLE and speed.backend == INTEGER


def _seconds(slices: tuple[int, int], fps: float) -> str:
    return " to ".join(f"{count / fps:.2f}" for count in dict.fromkeys(slices))


def redeployment_table(found: Sequence[Experiment], tasks: Sequence[str]) -> Table:
    """Return the time from a trained network to its bundle beside the paper's."""
    rows: list[Cells] = []
    stated = f"less than {REDEPLOYMENT_MINUTES} minutes, {REDEPLOYMENT_IMAGES} images"
    for task in tasks:
        items = [item for item in found if item.task == task and item.deploy_seconds is not None]
        rows += [
            (TITLES[task], item.network, stated, f"{item.deploy_seconds:.0f} s, {CALIBRATION_IMAGES} images at most")
            for item in items
        ] or [(TITLES[task], "-", stated, f"{NOT_HERE}: no trained network was deployed")]
    return Table(
        "redeployment",
        "Time of redeployment",
        ("network", "from", "paper", "here"),
        tuple(rows),
        "From the trained file to what runs: quantization, compilation, and here the check of the bundle. Without a "
        "board in reach nothing is sent to one, and the compilation here is for the software DPU.",
    )


def paper_markdown() -> str:
    """Return Tables I and II as printed, for the documentation."""
    lines = ["| network | device | FPS | W | FPS/W | Dice or accuracy, % |", "|---|---|---|---|---|---|"]
    for row in TABLE1:
        board = BOARD_NAMES.get(row.device)
        device = row.device if board is None else f"{board}, {row.backend}" + (", *projected*" if row.projected else "")
        values = (row.fps, row.watts, row.efficiency, row.score)
        lines.append(f"| {TITLES[row.task]} | {device} | {' | '.join(value.words() for value in values)} |")
    lines += [
        "",
        "| network | metric | KV260, INT8 | V100, FP32 | literature A | literature B |",
        "|---|---|---|---|---|---|",
    ]
    for score in TABLE2:
        works = (f"{value} [{number}]" for value, number in zip(score.literature, REFERENCES[score.task], strict=True))
        cells = (score.metric, score.integer.words(), score.floating.words(), *works)
        lines.append(f"| {TITLES[score.task]} | {' | '.join(cells)} |")
    return "\n".join(lines)
