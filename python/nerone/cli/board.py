"""nerone board install, check, list, remove: NERONE on a board by ssh; prove: what only a board can answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.cli.console import print_json, print_table, progress_bars
from nerone.compat import zip

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verbs."""
    import typer

    from nerone.cli.deploy import ssh_settings

    board = typer.Typer(help="NERONE on a board, and what only a board can answer.", no_args_is_help=True)
    application.add_typer(board, name="board")

    @board.callback()
    def group() -> None:
        """Put NERONE on a board, or try what only a board can answer."""

    ssh_option = typer.Option(
        None, "--ssh-option", help="A setting of ssh_config, such as Port=2222; may be given several times."
    )
    as_json_option = typer.Option(False, "--json", help="Write the result as JSON.")

    @board.command()
    def install(
        target: str = typer.Argument(..., help="user@board[:dir]; the environment is dir/nerone-env there."),
        wheels: str = typer.Option("wheels", "--wheels", help="Folder of wheels: NERONE's and what it needs."),
        remote_python: str = typer.Option("python3", "--remote-python", help="The Python there to install for."),
        ssh_options: list[str] = ssh_option,
        as_json: bool = as_json_option,
    ) -> None:
        """Send NERONE to a board, run its doctor and a golden frame there; no internet is needed there."""
        from nerone.deployment.remote.install import install_on

        with progress_bars(quiet=as_json) as progress:
            done = install_on(
                target, wheels, remote_python=remote_python, ssh_options=ssh_settings(ssh_options), progress=progress
            )
        _show(done.to_dict(), done.lines(), as_json)

    @board.command()
    def check(
        target: str = typer.Argument(..., help="user@board[:dir], as installed."),
        ssh_options: list[str] = ssh_option,
        as_json: bool = as_json_option,
    ) -> None:
        """Run the doctor and the golden frame again in what was installed."""
        from nerone.deployment.remote.install import check_installation

        done = check_installation(target, ssh_options=ssh_settings(ssh_options))
        _show(done.to_dict(), done.lines(), as_json)

    @board.command("list")
    def list_boards(
        target: str = typer.Argument(None, help="user@board[:dir]: what is installed there."),
        ssh_options: list[str] = ssh_option,
        as_json: bool = as_json_option,
    ) -> None:
        """List the boards and their images, or what is installed on one."""
        if target:
            from nerone.deployment.remote.install import list_installation

            found = list_installation(target, ssh_options=ssh_settings(ssh_options))
            _show(found, [f"{name}: {_words(value)}" for name, value in found.items()], as_json)
            return
        from nerone.dpu.boards import BOARDS, images_of

        rows = [
            (board.name, board.title, image.name, image.python, image.vitis_ai, "yes" if image.supported else "no")
            for board in BOARDS.values()
            for image in images_of(board)
        ]
        columns = ("board", "title", "image", "python", "vitis_ai", "supported")
        if as_json:
            print_json([dict(zip(columns, row, strict=True)) for row in rows])
        else:
            print_table(("board", "", "image", "Python", "Vitis AI", "runs NERONE"), rows)

    @board.command()
    def remove(
        target: str = typer.Argument(..., help="user@board[:dir], as installed."),
        ssh_options: list[str] = ssh_option,
        as_json: bool = as_json_option,
    ) -> None:
        """Undo install; bundles and other files there stay."""
        from nerone.deployment.remote.install import remove_installation

        removed = remove_installation(target, ssh_options=ssh_settings(ssh_options))
        lines = [f"{target}: removed {path}" for path in removed] or [f"{target}: nothing was installed"]
        _show({"removed": removed}, lines, as_json)

    @board.command()
    def prove(
        name: str = typer.Option(..., "--board", help="ultra96v2, kv260 or zcu104."),
        device: str = typer.Option("board", "--device", help="board, or softdpu to try everything but the DPU."),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5, 3.0 or 3.5."),
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


def _show(values: Any, lines: list[str], as_json: bool) -> None:
    if as_json:
        print_json(values)
    else:
        for line in lines:
            print(line)


def _words(value: Any) -> str:
    return (", ".join(value) if isinstance(value, list) else str(value)) or "none"
