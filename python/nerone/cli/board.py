"""nerone board prove: tiny streams on a board's DPU, each compared, and a report to send back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.cli.console import print_json

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verbs."""
    import typer

    board = typer.Typer(help="What only a board can answer.", no_args_is_help=True)
    application.add_typer(board, name="board")

    @board.callback()
    def group() -> None:
        """Try what only a board can answer."""

    @board.command()
    def prove(
        name: str = typer.Option(..., "--board", help="ultra96v2, kv260 or zcu104."),
        device: str = typer.Option("board", "--device", help="board, or softdpu to try everything but the DPU."),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5 or 3.0."),
        arch: str = typer.Option(None, "-a", "--arch", help="The board's own arch.json."),
        trials: str = typer.Option("", "--trials", help="Names, with commas; all where not given."),
        time_limit: float = typer.Option(20.0, "--time-limit", help="Seconds for each trial."),
        output: str = typer.Option("board-proof.json", "-o", "--output", help="The report to write."),
        as_json: bool = typer.Option(False, "--json", help="Print the report too."),
    ) -> None:
        """Run tiny streams on the board's DPU, one feature each, and write a report to send back."""
        from nerone.compilation.compiler import check_output
        from nerone.deployment.board_proof.prove import prove_board

        check_output(output)

        def show(result: Mapping[str, Any]) -> None:
            if not as_json:
                print(f"{result['outcome']:>9}  {result['name']}: {result.get('reason', result['question'] + '?')}")

        report = prove_board(
            name,
            device=device,
            vitis_ai=vitis_ai,
            arch=arch,
            only=[each for each in trials.split(",") if each],
            time_limit_s=time_limit,
            progress=show,
        )
        Path(output).write_text(json.dumps(report, indent=1) + "\n", "utf-8")
        if as_json:
            print_json(report)
        else:
            print(f"{output}: send it to the project, whatever it says")
        if any(result["outcome"] != "equal" for result in report["trials"]):
            raise typer.Exit(1)
