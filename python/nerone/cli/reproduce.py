"""nerone reproduce table1|table2|fig3|fig4|all [-o DIR] [--quick]."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.cli.console import file_argument, print_left_out, print_table, progress_bars
from nerone.cli.process import PLAIN_LINES, log_on_stderr
from nerone.errors import ConfigurationError

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def reproduce(
        part: str = typer.Argument(..., help="table1, table2, fig3, fig4 or all."),
        output: str = typer.Option("reproduction", "-o", "--output", help="Folder for the report."),
        quick: bool = typer.Option(False, "--quick", help="Small phantom sets and short training: minutes."),
        tasks: str = typer.Option("ct-org,brats,prostate,bccd", "--tasks", help="Which tasks."),
        data: str = typer.Option(None, "--data", help="Folder with a data set of each task in a subfolder."),
        ct_org: str = typer.Option(None, "--ct-org", help="Folder of labelled CT volumes."),
        brats: str = typer.Option(None, "--brats", help="Folder of labelled brain cases."),
        prostate: str = typer.Option(None, "--prostate", help="Folder of prostate series and masks."),
        bccd: str = typer.Option(None, "--bccd", help="Folder of blood cell images."),
        weights: list[str] = typer.Option(  # noqa: B008
            None, "--weights", help="Trained networks, one per seed: bccd=seed1/best.keras,seed2/best.keras."
        ),
        published: str = typer.Option(None, "--published", help="Folder with the paper's compiled models."),
        published_only: bool = typer.Option(
            False, "--published-only", help="Train nothing: score and time the models of --published alone."
        ),
        boards: str = typer.Option(
            None, "--boards", help="Folder with results of bench --json from boards: ct-org-zcu104.json ..."
        ),
        runs: int = typer.Option(5, "--runs", help="Independent runs of each throughput."),
        seconds: float = typer.Option(None, "--seconds", help="Length of a run; 2, or 0.2 with --quick."),
        power: str = typer.Option("auto", "--power", help="auto, none, hwmon, nvml, rapl, pynq, csv:FILE, constant:W."),
        skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out files that cannot be read, and count them."),
    ) -> None:
        """Measure the paper's tables and figures on this machine, the paper's values beside ours."""
        from nerone.evaluation.reproduce import reproduce as run
        from nerone.evaluation.settings import Settings, find_data

        given = {"ct-org": ct_org, "brats": brats, "prostate": prostate, "bccd": bccd}
        named = {task: file_argument(folder, "folder") for task, folder in given.items() if folder}
        settings = Settings(
            Path(output),
            {**(find_data(file_argument(data, "folder")) if data else {}), **named},
            _weights(weights or []),
            file_argument(published, "folder") if published else None,
            published_only,
            file_argument(boards, "folder") if boards else None,
            quick,
            runs=runs,
            seconds=seconds if seconds is not None else 0.2 if quick else 2.0,
            power=power,
            skip_bad=skip_bad,
        )
        with progress_bars() as progress, log_on_stderr("nerone.zoo", PLAIN_LINES, logging.INFO):
            report = run([part], settings, tasks=tasks.split(","), progress=progress)
        for table in report.tables:
            print_table(table.columns, table.rows, title=table.title)
        for problem in report.problems:
            print(f"not measured: {problem}")
        for path, note in report.notes:
            print(f"note: {path}: {note}")
        for path, reason in report.skipped:
            print_left_out(path, reason)
        print(report.page)


def _weights(options: list[str]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for option in options:
        task, equals, paths = option.partition("=")
        if not equals or not paths:
            raise ConfigurationError(f"'{option}' names no weights; give for example bccd=one.keras,two.keras")
        found[task] = (*found.get(task, ()), *(file_argument(path, "trained network") for path in paths.split(",")))
    return found
