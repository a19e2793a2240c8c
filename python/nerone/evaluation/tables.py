"""The report's tables in words: the paper's value, what was measured here, or that it could not be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nerone.compat import zip
from nerone.compilation.paper.table import GPUS, TABLE1, PaperRow
from nerone.evaluation.experiments import Experiment
from nerone.evaluation.identity import PathsReport
from nerone.evaluation.intervals import Summary
from nerone.evaluation.paper import BOARD_NAMES, TITLES, paper_score
from nerone.evaluation.report import Table
from nerone.evaluation.runs import RunScores, score_runs
from nerone.evaluation.throughput import GPU, Measured
from nerone.quantization.metrics import percent

__all__ = ["NOT_HERE", "confusion_table", "paths_table", "plus_minus", "score_words", "scores_of", "table1", "table2"]

NOT_HERE = "not measurable here"
SCORE_DRAWS = 300

Cells = tuple[str, ...]
_NO_ROW = ("-", "-", "-", "-")
BoardResults = Mapping[tuple[str, str], Sequence[Measured]]


def plus_minus(summary: Summary | None, digits: int = 1, scale: float = 1.0) -> str:
    """Return "mean ± deviation" of scaled values, or n/a."""
    if summary is None:
        return "n/a"
    deviation = "" if np.isnan(summary.deviation) else f" ± {scale * summary.deviation:.{digits}f}"
    return f"{scale * summary.mean:.{digits}f}{deviation}"


def _cells(row: Measured) -> tuple[str, str, str]:
    if row.simulated:
        return f"{plus_minus(row.fps)} (simulated)", "n/a", "n/a"
    return plus_minus(row.fps), plus_minus(row.watts, 2), plus_minus(row.efficiency, 2)


def table1(found: Sequence[Experiment], boards: BoardResults, tasks: Sequence[str]) -> Table:
    """Return Table I: every row of the paper, then the simulated boards and what this machine measures."""
    rows: list[Cells] = []
    for task in tasks:
        speeds = [row for item in found if item.task == task and not item.published for row in item.speeds]
        for row in (row for row in TABLE1 if row.task == task):
            rows += _paper_rows(row, speeds, boards.get((task, row.device), ()))
            rows += _published_rows(row, [item for item in found if item.task == task and item.published])
        rows += _other_simulated(task, speeds)
        rows += [(TITLES[task], GPU, s.device, s.what, *_NO_ROW, *_cells(s)) for s in speeds if s.backend == GPU]
        for speed in speeds:
            if not speed.board and speed.backend != GPU:
                rows.append((TITLES[task], speed.backend, speed.device, speed.what, *_NO_ROW, *_cells(speed)))
        for item in (item for item in found if item.task == task and item.published):
            backend = f"VART, INT8, {item.network}"
            own = [speed for speed in item.speeds if not speed.board]
            rows += [(TITLES[task], backend, s.device, s.what, *_NO_ROW, *_cells(s)) for s in own]
    return Table(
        "table1",
        "Table I: throughput and energy",
        (
            "network",
            "backend",
            "device",
            "measured",
            "paper, FPS",
            "paper, W",
            "paper, FPS/W",
            "paper, score %",
            "here, FPS",
            "here, W",
            "here, FPS/W",
        ),
        tuple(rows),
        "Mean ± standard deviation of independent runs; FPS/W is equation 1. Image to mask: from the scan's slice in "
        "memory, preprocessing included, files read before. n/a: no power sensor on this machine. Simulated boards "
        "take the time that a board's DPU would take and compute nothing: they show what the host program around the "
        "DPU reaches on this machine's processor, which is faster than a board's. Boards and the paper's GPUs have no "
        "value here unless they were measured. Projected: the paper did not measure this row, but multiplied "
        "PYNQ-DPU's rate by CT-ORG's ratio of 4.04, preprocessing left out. Timing of the instructions: when a board "
        "would execute the instructions of that file, by a model with one fitted constant (docs/instructions.md); "
        "CT-ORG's simulated ZCU104 takes the paper's own latency. Scores are the paper's: Dice weighted by the "
        "classes' frequency, of blood cells accuracy; Table II has ours.",
    )


def _paper_cells(row: PaperRow) -> Cells:
    """Return the paper's FPS, watts, FPS/W and score."""
    values = [value.words() for value in (row.fps, row.watts, row.efficiency)]
    return (*(f"{value} (projected)" if row.projected else value for value in values), row.score.words())


def _paper_rows(row: PaperRow, speeds: Sequence[Measured], results: Sequence[Measured]) -> list[Cells]:
    title, stated = TITLES[row.task], _paper_cells(row)
    if row.device in GPUS:
        found = any(speed.backend == GPU for speed in speeds)
        reason = f"{NOT_HERE}: another GPU, below" if found else f"{NOT_HERE}: no GPU"
        return [(title, row.backend, row.device, "-", *stated, reason, NOT_HERE, NOT_HERE)]
    device, backend = BOARD_NAMES[row.device], f"{row.backend}, INT8"
    real = [result for result in results if result.backend == backend]
    rows: list[Cells] = [(title, backend, result.device, result.what, *stated, *_cells(result)) for result in real]
    if not real:
        rows.append((title, backend, device, "-", *stated, f"{NOT_HERE}: needs the board", NOT_HERE, NOT_HERE))
    simulated = [s for s in speeds if s.board == row.device and s.backend == backend]
    return rows + [(title, backend, s.device, s.what, *stated, *_cells(s)) for s in simulated]


def _published_rows(row: PaperRow, published: Sequence[Experiment]) -> list[Cells]:
    """Return what simulation says of the paper's own files, beside the row of Table I that it compares with."""
    title, backend = TITLES[row.task], f"{row.backend}, INT8"
    return [
        (title, f"{backend}, {item.network}", s.device, s.what, *_paper_cells(row), *_cells(s))
        for item in published
        for s in item.speeds
        if s.board == row.device and s.backend == backend
    ]


def _other_simulated(task: str, speeds: Sequence[Measured]) -> list[Cells]:
    """Return simulated rows that the paper has no counterpart of: VART on the smaller boards."""
    known = {(f"{row.backend}, INT8", row.device) for row in TABLE1 if row.task == task}
    others = (speed for speed in speeds if speed.board and (speed.backend, speed.board) not in known)
    return [(TITLES[task], s.backend, s.device, s.what, *_NO_ROW, *_cells(s)) for s in others]


def score_words(experiment: Experiment, network: str) -> str:
    """Return a network's score with its 95 % bootstrap interval, per class, and over runs where there are several."""
    scores = scores_of(experiment, network)
    if scores is None:
        return "not measured"
    names, measure = experiment.evaluation.class_names, "accuracy" if scores.confusion is not None else "weighted Dice"
    shown = list(zip(names, scores.classes, strict=True))[0 if scores.confusion is not None else 1 :]
    parts = [f"{name} {plus_minus(each, 1, 100)}" for name, each in shown if each is not None]
    parts += [f"{name} {plus_minus(each, 1, 100)}" for name, each in scores.regions.items() if name not in names]
    runs = f" over {scores.score.count} seeds" if scores.score.count > 1 else ""
    interval = f"[{100 * scores.interval.low:.1f}, {100 * scores.interval.high:.1f}]"
    return f"{measure} {plus_minus(scores.score, 2, 100)} %{runs} {interval}; {', '.join(parts)}"


def scores_of(experiment: Experiment, network: str) -> RunScores | None:
    """Return the scores of a network, "INT8" or "FP32", over its runs; None where it was not scored."""
    counts = [run.counts[network] for run in experiment.runs if network in run.counts]
    return score_runs(counts, draws=SCORE_DRAWS) if counts else None


def _difference(experiment: Experiment) -> str:
    integer, floating = (scores_of(experiment, name) for name in ("INT8", "FP32"))
    if integer is None or floating is None:
        return "-"
    return f"{percent(integer.score.mean - floating.score.mean, sign=True)} points"


def _agreement(experiment: Experiment) -> str:
    shares = [run.agreement["FP32"] for run in experiment.runs if "FP32" in run.agreement]
    return f"{percent(float(np.mean(shares)))} %" if shares else "-"


def table2(found: Sequence[Experiment]) -> Table:
    """Return Table II: FP32 and INT8 scores beside the paper's."""
    rows = []
    for item in found:
        images = f"{item.data}, {item.evaluation.frames} images"
        left_out = len(item.evaluation.skipped)
        rows.append(
            (
                TITLES[item.task],
                item.network,
                images + (f", {left_out} left out" if left_out else ""),
                paper_score(item.task),
                score_words(item, "FP32"),
                score_words(item, "INT8"),
                _difference(item),
                _agreement(item),
            )
        )
    return Table(
        "table2",
        "Table II: accuracy of FP32 and INT8",
        (
            "task",
            "network",
            "scored on",
            "paper",
            "FP32 here",
            "INT8 here",
            "INT8 - FP32",
            "same pixels or images",
        ),
        tuple(rows),
        "± is the standard deviation over independently trained networks, where several were given. In brackets 95 % "
        "bootstrap intervals over images; over originals where copies of them are scored. Dice is weighted by the "
        "classes' frequency (equation 2). Scores on phantoms or on other data than the paper's do not compare with the "
        "paper's.",
    )


def confusion_table(experiment: Experiment, number: int) -> Table | None:
    """Return a classification's confusion matrix for INT8, summed over runs; None for a segmentation."""
    scores = scores_of(experiment, "INT8")
    if scores is None or scores.confusion is None:
        return None
    names = experiment.evaluation.class_names
    rows = tuple((name, *(str(count) for count in row)) for name, row in zip(names, scores.confusion, strict=True))
    title = f"Confusion matrix, INT8: {TITLES[experiment.task]}, {experiment.network}, {experiment.data}"
    return Table(f"confusion{number}", title, ("truth \\ said", *names), rows, "Images; rows are the truth.")


def _verdict(report: PathsReport) -> str:
    if not report.identical:
        return "NOT IDENTICAL"
    return "identical" if report.across == 0 else "identical but for the allowed step of the input"


def paths_table(found: Sequence[Experiment]) -> Table:
    """Return the comparison of the same scans through VART, PYNQ-DPU, C++ and numpy."""
    rows = []
    for item in found:
        if (report := item.paths) is None:
            continue
        rows.append(
            (
                TITLES[item.task],
                f"{item.network}, {item.data}",
                str(report.frames),
                str(report.same_input),
                f"{report.different_inputs} values, at most {report.different_steps} of {report.allowed_steps} allowed",
                f"{report.across} of {report.pixels}",
                _verdict(report),
            )
        )
    return Table(
        "paths",
        "The same scans through VART and PYNQ-DPU, prepared in C++ and in numpy",
        (
            "task",
            "network and scans",
            "frames",
            "VART ≠ PYNQ on the same input, pixels",
            "C++ ≠ numpy preprocessing, int8 steps",
            "VART with C++ ≠ PYNQ with numpy, pixels",
            "result",
        ),
        tuple(rows),
        "Equal inputs have to give equal masks. The two preprocessings may differ by one step of the int8 input where "
        "one resize follows another (CT-ORG), nowhere else. nerone evaluate BUNDLE --data DIR --paths does the same.",
    )
