"""nerone verify FILE: what a board's instructions give against what the op graph says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, print_json, xmodel_argument

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def verify(
        file: str = typer.Argument(None, help="A compiled xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        images: int = typer.Option(2, "--images", help="Random inputs of each DPU subgraph."),
        seed: int = typer.Option(13, "--seed", help="Of the random inputs."),
        inputs: str = typer.Option(None, "--inputs", help="An .npz of int8 arrays by the names of input tensors."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Compare op graph and instructions bit for bit, and check the order of the instructions."""
        from nerone.compilation.verify import verify as compared
        from nerone.runtime.model import model_path

        path = model_path(xmodel_argument(chosen(file, model_option, "xmodel or bundle")))
        found = compared(path, images=images, seed=seed, inputs=_arrays(inputs))
        if as_json:
            print_json([asdict(each) for each in found])
        else:
            for each in found:
                print(f"{each.subgraph}: {each.instructions} instructions, {each.images} images, {each.values} values")
                print(f"  op graph against instructions: {each.difference or 'equal'}")
                more = f", the first: {each.first_finding}" if each.first_finding else ""
                print(f"  order of the instructions: {each.unordered} findings{more}")
        if not all(each.is_fine for each in found):
            raise typer.Exit(1)


def _arrays(path: str | None) -> dict[str, Any]:
    import numpy as np

    from nerone.errors import ConfigurationError

    if path is None:
        return {}
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"'{path}' is no .npz of arrays: {error}") from None
