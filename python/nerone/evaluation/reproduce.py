"""``nerone reproduce``: the paper's tables and figures with what this machine measures, and nothing it does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nerone.errors import ConfigurationError, Error
from nerone.evaluation.evaluate import Scored
from nerone.evaluation.experiments import Experiment, Settings, published_file, run_published, run_task
from nerone.evaluation.figures import draw_efficiency, draw_masks
from nerone.evaluation.metrics import ClassificationCounts, SegmentationCounts, Summary
from nerone.evaluation.paper import PUBLISHED_MODELS, TABLE1, TITLES, paper_score
from nerone.evaluation.report import Report, Table, write_report
from nerone.evaluation.speed import Speed

__all__ = ["PARTS", "reproduce", "score_words"]

PARTS = ("table1", "table2", "fig3", "fig4")
NOT_HERE = "not measurable here"
NOT_STATED = "not stated in this project's sources"

Progress = Callable[[str, int, int], None]


@dataclass
class _Found:
    """Experiments with the frames kept for pictures."""

    experiment: Experiment
    kept: list[Scored] = field(default_factory=list)


class _Keeper:
    """Keeps a few frames with the most classes, one of each source at first."""

    def __init__(self, count: int = 3) -> None:
        self.count = count
        self.best: dict[Path, tuple[int, Scored]] = {}

    def __call__(self, scored: Scored) -> None:
        shown = int(np.count_nonzero(scored.truth)) * len(np.unique(scored.truth))
        source = scored.frame.frame.source
        if source not in self.best or shown > self.best[source][0]:
            self.best[source] = (shown, scored)

    @property
    def kept(self) -> list[Scored]:
        """The frames, most classes first."""
        return [scored for _, scored in sorted(self.best.values(), key=lambda item: -item[0])[: self.count]]


def _words(summary: Summary | None, digits: int = 1) -> str:
    if summary is None:
        return "n/a"
    deviation = "" if np.isnan(summary.deviation) else f" +- {summary.deviation:.{digits}f}"
    return f"{summary.mean:.{digits}f}{deviation}"


def _speed_words(speed: Speed | None) -> tuple[str, str, str]:
    if speed is None:
        return "not measured", "n/a", "n/a"
    return _words(speed.fps), _words(speed.watts, 2), _words(speed.efficiency, 2)


def score_words(experiment: Experiment, network: str) -> str:
    """Return a network's score with its 95 % bootstrap interval, per class where it segments."""
    counts = experiment.evaluation.counts.get(network)
    if counts is None:
        return "not measured"
    names = experiment.evaluation.class_names
    if isinstance(counts, ClassificationCounts):
        found = counts.accuracy_interval()
        each = ", ".join(
            f"{n} {100 * v:.0f}" for n, v in zip(names, counts.class_accuracy(), strict=True) if not np.isnan(v)
        )
        return f"accuracy {100 * found.value:.2f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]; {each}"
    found = counts.weighted_dice_interval(draws=300)
    each = ", ".join(f"{n} {100 * v:.1f}" for n, v in zip(names[1:], counts.dice()[1:], strict=True) if not np.isnan(v))
    regions = _regions(counts) if experiment.task == "brats" else ""
    return f"weighted Dice {100 * found.value:.2f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]; {each}{regions}"


def _regions(counts: SegmentationCounts) -> str:
    regions = counts.regions
    return (
        "; " + ", ".join(f"{name} {100 * value:.1f}" for name, value in regions.items() if not np.isnan(value))
        if regions
        else ""
    )


def _table1(found: dict[str, _Found]) -> Table:
    rows = [
        (
            TITLES[row.task],
            row.backend,
            row.board,
            f"{row.fps:g}" if row.fps else NOT_STATED,
            NOT_HERE,
            NOT_HERE,
            NOT_HERE,
        )
        for row in TABLE1
    ]
    here = f"this machine's CPU ({os.cpu_count()} cores)"
    for task, item in found.items():
        integer, floating = item.experiment.integer, item.experiment.floating
        rows.append((TITLES[task], "VART, software DPU, INT8, one thread", here, "-", *_speed_words(integer)))
        rows.append((TITLES[task], "TensorFlow, FP32", here, "-", *_speed_words(floating)))
    return Table(
        "table1",
        "Table I: throughput and energy",
        ("network", "backend", "device", "paper, FPS", "here, FPS", "here, W", "here, FPS/W"),
        tuple(rows),
        "Mean and standard deviation of five runs, the network alone, one image at a time. n/a: no power sensor on "
        "this machine. The rows of boards need the board.",
    )


def _table2(found: Sequence[_Found]) -> Table:
    rows = []
    for item in found:
        experiment = item.experiment
        agreement = experiment.evaluation.agreement.get("FP32")
        rows.append(
            (
                TITLES[experiment.task],
                experiment.network,
                f"{experiment.data}, {experiment.evaluation.frames} images",
                paper_score(experiment.task),
                score_words(experiment, "FP32"),
                score_words(experiment, "INT8"),
                "-" if agreement is None else f"{100 * agreement:.2f} %",
            )
        )
    return Table(
        "table2",
        "Table II: accuracy of FP32 and INT8",
        ("task", "network", "scored on", "paper", "FP32 here", "INT8 here", "INT8 = FP32"),
        tuple(rows),
        "In brackets 95 % bootstrap intervals over images. The paper's GPU (V100) and its power meter are not "
        "measurable here. Scores on phantoms or on other data than the paper's do not compare with the paper's.",
    )


def _run_all(settings: Settings, tasks: Sequence[str], report: Report, progress: Progress | None) -> list[_Found]:
    found: list[_Found] = []
    for task in tasks:
        keeper = _Keeper()
        try:
            experiment = run_task(task, settings, seen=keeper, progress=progress)
        except Error as error:
            report.problems.append(f"{TITLES[task]}: {error}")
            continue
        found.append(_Found(experiment, keeper.kept))
    return found


def _run_published(settings: Settings, tasks: Sequence[str], report: Report, progress: Progress | None) -> list[_Found]:
    found: list[_Found] = []
    for model in (m for m in PUBLISHED_MODELS if m.task in tasks):
        path = published_file(model, settings.published)
        if path is None or model.task not in settings.data:
            missing = "its file" if path is None else "real data"
            report.problems.append(
                f"the published {TITLES[model.task]}, {model.classes} classes: {missing} was not given"
            )
            continue
        for augmented in (0, 30 if settings.quick else 250) if model.task == "bccd" else (0,):
            keeper = _Keeper()
            experiment = run_published(model, path, settings, augmented=augmented, seen=keeper, progress=progress)
            found.append(_Found(experiment, keeper.kept))
    return found


def reproduce(
    parts: Sequence[str],
    settings: Settings,
    *,
    tasks: Sequence[str] = tuple(TITLES),
    progress: Progress | None = None,
) -> Report:
    """Measure what this machine can of the paper's tables and figures and write one report.

    Parameters
    ----------
    parts : of "table1", "table2", "fig3", "fig4"; or "all"
    settings : Settings
    tasks : of "ct-org", "brats", "prostate", "bccd"
    progress : called with (what, done, total)

    Returns
    -------
    Report, also written to ``settings.output`` as report.html, CSV and PNG

    Raises
    ------
    ConfigurationError
        For an unknown part or task, or where nothing at all could be measured.
    """
    chosen = PARTS if "all" in parts else tuple(parts)
    for part in chosen:
        if part not in PARTS:
            raise ConfigurationError(f"'{part}' is no part of the paper; use {', '.join(PARTS)} or all")
    for task in tasks:
        if task not in TITLES:
            raise ConfigurationError(f"task '{task}' is unknown; use one of {', '.join(TITLES)}")
    settings.output.mkdir(parents=True, exist_ok=True)
    report = Report(settings.output)
    own = _run_all(settings, tasks, report, progress)
    if not own:
        raise ConfigurationError("nothing could be measured: " + "; ".join(report.problems))
    by_task = {item.experiment.task: item for item in own}
    published = _run_published(settings, tasks, report, progress) if {"table2", "fig4"} & set(chosen) else []
    if "table1" in chosen:
        report.tables.append(_table1(by_task))
    if "table2" in chosen:
        report.tables.append(_table2([*own, *published]))
    if "fig3" in chosen:
        rates = {TITLES[task]: (i.experiment.integer, i.experiment.floating) for task, i in by_task.items()}
        path = draw_efficiency(settings.output / "fig3.png", rates)
        report.pictures.append(("Fig. 3: energy efficiency", path))
    if "fig4" in chosen:
        for number, item in enumerate(i for i in (*own, *published) if i.experiment.task != "bccd"):
            name = f"fig4-{item.experiment.task}-{number}.png"
            title = f"{TITLES[item.experiment.task]}, {item.experiment.network}"
            report.pictures.append(
                (f"Fig. 4: {title}", draw_masks(settings.output / name, item.kept, item.experiment, title))
            )
    write_report(report)
    return report
