"""nerone demo [--data DIR] [-o DIR]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nerone.cli.console import print_json, print_table, progress_bars

if TYPE_CHECKING:
    import typer

    from nerone.evaluation.demo import DemoReport, DemoScores

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def demo(
        data: str = typer.Option(None, "--data", help="Folder of CT volumes with labels, in CT-ORG's layout."),
        output: str = typer.Option("demo-output", "-o", "--output", help="Folder for the bundle and the pictures."),
        threads: int = typer.Option(2, "--threads", help="Threads of the throughput measurement."),
        as_json: bool = typer.Option(False, "--json", help="Write the result as JSON."),
    ) -> None:
        """Deploy the U-Net that comes trained, segment phantoms and your scans, and show how well."""
        from nerone.evaluation.demo import run_demo

        with progress_bars(quiet=as_json) as progress:
            report = run_demo(output, data=data, threads=threads, progress=progress)
        if as_json:
            print_json(_values(report))
        else:
            _print(report)


def _dice(scores: DemoScores) -> dict[str, list[float]]:
    counts = scores.evaluation.counts
    return {name: [*counts[name].dice()[1:], counts[name].weighted_dice()] for name in counts}  # type: ignore[union-attr]


def _print(report: DemoReport) -> None:
    from nerone.quantization.metrics import percent

    for scores in report.scores:
        evaluation = scores.evaluation
        table = _dice(scores)
        rows = [
            (name, *(percent(table[network][place]) for network in ("FP32", "INT8")))
            for place, name in enumerate([*evaluation.class_names[1:], "weighted Dice"])
        ]
        print_table(("Dice, %", "FP32", "INT8"), rows, title=f"{scores.name}: {evaluation.frames} slices")
        print(f"INT8 equals FP32 in {evaluation.agreement['FP32']:.3%} of the pixels; picture: {scores.picture}")
        for path, reason in evaluation.skipped:
            print(f"left out {path}: {reason}")
    print(f"network alone, one thread of the software DPU: {report.engine_fps:.1f} fps")
    print(f"from Hounsfield units to masks, {report.threads} threads: Throughput={report.pipeline_fps:.1f} fps")
    print(f"bundle: {report.bundle.path}; {report.seconds:.0f} s in all")


def _values(report: DemoReport) -> dict[str, object]:
    return {
        "bundle": str(report.bundle.path),
        "engine_fps": report.engine_fps,
        "pipeline_fps": report.pipeline_fps,
        "threads": report.threads,
        "seconds": report.seconds,
        "scores": [
            {
                "name": scores.name,
                "slices": scores.evaluation.frames,
                "classes": [*scores.evaluation.class_names[1:], "weighted"],
                "dice": {name: [None if np.isnan(v) else float(v) for v in row] for name, row in _dice(scores).items()},
                "agreement": scores.evaluation.agreement["FP32"],
                "picture": str(scores.picture),
                "skipped": [[str(path), reason] for path, reason in scores.evaluation.skipped],
            }
            for scores in report.scores
        ],
    }
