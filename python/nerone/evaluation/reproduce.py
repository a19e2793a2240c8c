"""``nerone reproduce``: the paper's tables and figures with what this machine measures, and nothing it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nerone.errors import ConfigurationError, Error
from nerone.evaluation.evaluate import Scored
from nerone.evaluation.experiments import Experiment, published_file, run_published, run_task
from nerone.evaluation.figures import draw_efficiency, draw_masks
from nerone.evaluation.paper import PUBLISHED_MODELS, TITLES
from nerone.evaluation.paper_tables import efficiency_table, redeployment_table, scans_table, scores_table
from nerone.evaluation.report import Report, write_report
from nerone.evaluation.settings import Settings
from nerone.evaluation.tables import confusion_table, paths_table, table1, table2
from nerone.evaluation.throughput import board_results

__all__ = ["PARTS", "reproduce"]

PARTS = ("table1", "table2", "fig3", "fig4")
COPIES, QUICK_COPIES = 250, 30

Progress = Callable[[str, int, int], None]
Found = tuple[Experiment, list[Scored]]


class _Keeper:
    """Keeps a few frames with the most classes, of as many sources as there are, none beside another."""

    def __init__(self, count: int = 3) -> None:
        self._count = count
        self._best: dict[Path, list[tuple[int, Scored]]] = {}

    def __call__(self, scored: Scored) -> None:
        shown = int(np.count_nonzero(scored.truth)) * len(np.unique(scored.truth))
        best = self._best.setdefault(scored.frame.frame.source, [])
        best.append((shown, scored))
        best.sort(key=lambda item: -item[0])
        apart: list[tuple[int, Scored]] = []
        for item in best:
            if len(apart) < self._count and all(_far(item[1], other) for _, other in apart):
                apart.append(item)
        best[:] = apart

    @property
    def kept(self) -> list[Scored]:
        """The frames: of each source its best, then the next best ones."""
        ranked = [(rank, -shown, scored) for best in self._best.values() for rank, (shown, scored) in enumerate(best)]
        return [scored for _, _, scored in sorted(ranked, key=lambda item: item[:2])[: self._count]]


def _far(one: Scored, other: Scored) -> bool:
    """Return whether two slices of a volume are so far apart that they show something else."""
    first, second = one.frame.frame, other.frame.frame
    if first.index is None or second.index is None:
        return True
    return abs(first.index - second.index) > first.count // 10


def _run_all(settings: Settings, tasks: Sequence[str], report: Report, progress: Progress | None) -> list[Found]:
    found: list[Found] = []
    for task in tasks:
        keeper = _Keeper()
        try:
            found.append((run_task(task, settings, seen=keeper, progress=progress), keeper.kept))
        except Error as error:
            report.problems.append(f"{TITLES[task]}: {error}")
    return found


def _run_published(settings: Settings, tasks: Sequence[str], report: Report, progress: Progress | None) -> list[Found]:
    found: list[Found] = []
    for model in (model for model in PUBLISHED_MODELS if model.task in tasks):
        path = published_file(model.names, settings.published)
        if path is None or model.task not in settings.data:
            missing = "its file" if path is None else "real data"
            report.problems.append(
                f"the published {TITLES[model.task]}, {model.classes} classes: {missing} was not given"
            )
            continue
        copies = (0, QUICK_COPIES if settings.quick else COPIES) if model.task == "bccd" else (0,)
        for augmented in copies:
            keeper = _Keeper()
            try:
                item = run_published(model, path, settings, augmented=augmented, seen=keeper, progress=progress)
            except Error as error:
                report.problems.append(f"the published {TITLES[model.task]}: {error}")
                continue
            found.append((item, keeper.kept))
    return found


def _check(parts: Sequence[str], tasks: Sequence[str], settings: Settings) -> tuple[str, ...]:
    chosen = PARTS if "all" in parts else tuple(parts)
    for part in chosen:
        if part not in PARTS:
            raise ConfigurationError(f"'{part}' is no part of the paper; use {', '.join(PARTS)} or all")
    for task in (*tasks, *settings.data, *settings.weights):
        if task not in TITLES:
            raise ConfigurationError(f"task '{task}' is unknown; use one of {', '.join(TITLES)}")
    for path in (path for paths in settings.weights.values() for path in paths):
        if not path.is_file():
            raise ConfigurationError(f"there is no trained network '{path}'; check the path")
    if settings.published_only and settings.published is None:
        raise ConfigurationError("only the published models are to be scored, but their folder was not given")
    if settings.published_only and settings.weights:
        raise ConfigurationError("trained networks were given, but only the published models are to be scored")
    return chosen


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
        For an unknown part or task, a missing file, or where nothing at all could be measured.
    """
    chosen, began = _check(parts, tasks, settings), time.perf_counter()
    boards = board_results(settings.boards)
    settings.output.mkdir(parents=True, exist_ok=True)
    report = Report(settings.output)
    found = [] if settings.published_only else _run_all(settings, tasks, report, progress)
    if settings.published_only or (found and {"table1", "table2", "fig4"} & set(chosen)):
        found += _run_published(settings, tasks, report, progress)
    if not found:
        raise ConfigurationError("nothing could be measured: " + "; ".join(report.problems))
    found.sort(key=lambda item: tuple(tasks).index(item[0].task))
    experiments = [item for item, _ in found]
    if "table1" in chosen:
        report.tables.append(table1(experiments, boards, tasks))
        report.tables += [scans_table(experiments, tasks), redeployment_table(experiments, tasks)]
    if "table2" in chosen:
        confusions = [confusion_table(item, number) for number, item in enumerate(experiments, 1)]
        report.tables += [table2(experiments), scores_table(experiments, tasks)]
        report.tables += [*(table for table in confusions if table), paths_table(experiments)]
    if "fig3" in chosen:
        own = [item for item in experiments if not item.published]
        report.tables.append(efficiency_table(experiments, tasks))
        picture = draw_efficiency(settings.output / "fig3.png", own, boards, tasks)
        report.pictures.append(("Fig. 3: energy efficiency", picture))
    if "fig4" in chosen:
        for number, (item, kept) in enumerate((item, kept) for item, kept in found if kept and item.task != "bccd"):
            title = f"{TITLES[item.task]}, {item.network}, on {item.data}"
            path = settings.output / f"fig4-{item.task}-{number}.png"
            report.pictures.append((f"Fig. 4: {title}", draw_masks(path, kept, item, title)))
    for item in experiments:
        report.skipped += item.evaluation.skipped
        report.notes += [note for note in item.evaluation.notes if note not in report.notes]
    report.seconds = time.perf_counter() - began
    write_report(report)
    return report
