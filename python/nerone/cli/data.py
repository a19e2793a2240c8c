"""nerone data check DIR; nerone data phantoms TASK DIR."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nerone.cli.console import print_json, print_table, progress_bars

if TYPE_CHECKING:
    import typer

    from nerone.data.check import DataReport

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb and its two parts."""
    import typer

    data = typer.Typer(help="Look at data sets, or make phantom ones.", no_args_is_help=True)

    @data.command()
    def check(
        folder: str = typer.Argument(..., help="Folder or file of scans or pictures."),
        as_json: bool = typer.Option(False, "--json", help="Write the result as JSON."),
    ) -> int:
        """Say what is there and what is wrong; exit code 1 where something is."""
        from nerone.data.check import check_data

        with progress_bars(quiet=as_json) as progress:
            report = check_data(folder, progress=lambda done, total: progress("reading", done, total))
        if as_json:
            print_json(dataclasses.asdict(report))
        else:
            _print(report)
        return 1 if report.problems else 0

    @data.command()
    def phantoms(
        task: str = typer.Argument(..., help="ct-org, brats, prostate or bccd."),
        folder: str = typer.Argument(..., help="Where to write; the layout is the data set's own."),
        count: int = typer.Option(4, "--count", help="Patients, or pictures of each class."),
        seed: int = typer.Option(0, "--seed", help="Seed of the first one."),
        size: int = typer.Option(None, "--size", help="Rows and columns; the data set's own by default."),
        slices: int = typer.Option(None, "--slices", help="Slices of a volume."),
    ) -> None:
        """Draw a phantom data set."""
        from nerone.data.phantom_sets import write_phantoms

        written = write_phantoms(task, folder, count=count, seed=seed, size=size, slices=slices)
        print(f"{folder}: {len(written)} {'pictures' if task == 'bccd' else 'volumes'}")

    application.add_typer(data, name="data")


def _print(report: DataReport) -> None:
    rows = [
        ("kind", report.kind),
        ("volumes or pictures", f"{report.sources}, {report.labelled} with labels"),
        ("frames", report.frames),
        ("shapes", _counts(report.shapes)),
        ("dtypes", _counts(report.dtypes)),
    ]
    if report.label_ids:
        rows.append(("label ids (pixels)", _counts(dict(sorted(report.label_ids.items())))))
    if report.classes:
        rows.append(("classes", _counts(report.classes)))
    print_table(("", ""), rows)
    for title, entries in (("notes", report.notes), ("problems", report.problems)):
        if entries:
            print(f"{title}:")
            for path, sentence in entries:
                print(f"  {path}: {sentence}" if str(path) not in sentence else f"  {sentence}")
    print(f"{len(report.problems)} problems")


def _counts(counts: dict[str, int] | dict[int, int]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in counts.items())
