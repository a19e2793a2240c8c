"""nerone zoo list|get: the trained networks that come with the project."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.cli.console import print_json, print_table

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    zoo = typer.Typer(help="Trained networks to start with, without a model of your own.", no_args_is_help=True)
    application.add_typer(zoo, name="zoo")

    @zoo.command("list")
    def list_networks(as_json: bool = typer.Option(False, "--json", help="Write the list as JSON.")) -> None:
        """List the networks with their presets and scores."""
        from nerone.zoo.shipped import SHIPPED

        if as_json:
            print_json({name: asdict(network) for name, network in SHIPPED.items()})
            return
        rows = [(name, network.title, network.preset, network.score) for name, network in SHIPPED.items()]
        print_table(("name", "network", "preset", "score"), rows)

    @zoo.command()
    def get(
        name: str = typer.Argument(..., help="A name of 'nerone zoo list'."),
        output: str = typer.Option(None, "-o", "--output", help="The Keras file to write; NAME.keras here otherwise."),
    ) -> None:
        """Copy a network's Keras file, for training further, quantizing or deploying."""
        from nerone.bundle.writing import replacing_file
        from nerone.errors import ConfigurationError
        from nerone.zoo.shipped import SHIPPED, shipped_model

        if name not in SHIPPED:
            raise ConfigurationError(f"no network '{name}' comes with this release; the names are {', '.join(SHIPPED)}")
        target = Path(output or f"{name}.keras")
        if target.suffix != ".keras":
            raise ConfigurationError(f"the output '{target}' must end in .keras, the format of the networks")
        with replacing_file(target) as partial:
            shutil.copyfile(shipped_model(name), partial)
        print(f"{target}: deploy it with: nerone deploy {target} --preset {SHIPPED[name].preset} --calibration IMAGES")
