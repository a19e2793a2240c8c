"""nerone reproduce table1|table2|fig3|fig4|all [-o DIR] [--quick]."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nerone.cli.console import file_argument, print_table, progress_bars

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
        ct_org: str = typer.Option(None, "--ct-org", help="Folder of labelled CT volumes."),
        brats: str = typer.Option(None, "--brats", help="Folder of labelled brain cases."),
        prostate: str = typer.Option(None, "--prostate", help="Folder of prostate series and masks."),
        bccd: str = typer.Option(None, "--bccd", help="Folder of blood cell images."),
        published: str = typer.Option(None, "--published", help="Folder with the paper's compiled models."),
    ) -> None:
        """Measure the paper's tables and figures on this machine, the paper's values beside ours."""
        from nerone.evaluation.experiments import Settings
        from nerone.evaluation.reproduce import reproduce as run

        given = {"ct-org": ct_org, "brats": brats, "prostate": prostate, "bccd": bccd}
        data = {task: file_argument(folder, "folder") for task, folder in given.items() if folder}
        models = file_argument(published, "folder") if published else None
        settings = Settings(Path(output), data, models, quick, seconds=0.4 if quick else 2.0)
        with progress_bars() as progress:
            report = run([part], settings, tasks=tasks.split(","), progress=progress)
        for table in report.tables:
            print_table(table.columns, table.rows, title=table.title)
        for problem in report.problems:
            print(problem)
        print(report.page)
