"""nerone disassemble FILE: the instructions that a board runs, with layers, bytes and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone.cli.console import chosen, print_json, xmodel_argument

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def disassemble(
        file: str = typer.Argument(None, help="A compiled xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        layer: str = typer.Option(None, "--layer", help="Only layers whose name holds this."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """List the instructions that a board runs: tokens waited for (<) and given (>), bytes or cycles, fields."""
        from nerone.instructions.listing import disassemble as listed
        from nerone.instructions.listing import text_of
        from nerone.runtime.model import model_path

        lines = listed(model_path(xmodel_argument(chosen(file, model_option, "xmodel or bundle"))), layer)
        if as_json:
            print_json(
                [
                    {
                        "subgraph": line.subgraph,
                        "number": line.number,
                        "layer": line.layer,
                        "name": line.instruction.name,
                        "fields": dict(line.instruction.fields),
                        "dpdon": line.instruction.dpdon,
                        "dpdby": line.instruction.dpdby,
                        "cycles": line.work.cycles,
                        "moved_bytes": line.work.moved_bytes,
                    }
                    for line in lines
                ]
            )
            return
        subgraph = None
        for line in lines:
            if line.subgraph != subgraph:
                subgraph = line.subgraph
                print(f"{subgraph}: number, instruction, tokens, cost, fields that are not 0; layer")
            print(text_of(line))
