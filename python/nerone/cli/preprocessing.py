"""nerone preprocessing show|check: the steps before a network, and what they make of an image."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from nerone.cli.console import print_json, print_table, shape_argument
from nerone.errors import ConfigurationError

if TYPE_CHECKING:
    import typer

    from nerone.deployment.network_input import NetworkInput

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    verb = typer.Typer(help="The steps from a stored image to the network's input.", no_args_is_help=True)
    application.add_typer(verb, name="preprocessing")

    @verb.command()
    def show(
        given: str = typer.Argument(None, metavar="[NAME|FILE]", help="A preset, a JSON file of steps, or a bundle."),
        as_json: bool = typer.Option(False, "--json", help="Write the steps as a file for --preprocessing."),
    ) -> None:
        """Show the steps of a preset, file or bundle; without one, list the presets."""
        from nerone.deployment.network_input import step_rows, steps_of
        from nerone.runtime.presets import PRESETS

        if given is None:
            if as_json:
                print_json({name: known.preprocessing.to_dict() for name, known in PRESETS.items()})
                return
            rows = [(name, known.title, ", ".join(known.class_names) or "any") for name, known in PRESETS.items()]
            print_table(("preset", "for", "classes"), rows)
            return
        steps, _ = steps_of(given)
        if as_json:
            print_json(steps.to_dict())
            return
        print_table(("step", "settings", "meaning"), step_rows(steps))
        if steps.orientation:
            print(f"orientation: {steps.orientation}")
        if given in PRESETS:
            print("the last size becomes the network's when it is deployed")

    @verb.command()
    def check(
        image: str = typer.Argument(..., help="A scan or picture, or a folder of them."),
        bundle: str = typer.Argument(None, help="Bundle whose preprocessing and input are checked."),
        preset: str = typer.Option(None, "--preset", help="Preset in place of a bundle."),
        preprocessing: str = typer.Option(None, "--preprocessing", help="JSON file of steps, in place of a bundle."),
        input_shape: str = typer.Option(None, "--input-shape", help="Size of the network's input: 256,256,1."),
        index: int = typer.Option(None, "--slice", help="Slice or page; the middle one of a volume by default."),
        output: str = typer.Option(None, "--output", "-o", help="PNG to write: the picture that the network sees."),
        as_json: bool = typer.Option(False, "--json", help="Write the steps' shapes and ranges as JSON."),
    ) -> None:
        """Send an image through the steps: shapes, ranges, and a picture of what the network sees."""
        from nerone.deployment.network_input import network_input, steps_of, write_input_picture

        given = [one for one in (bundle, preset, preprocessing) if one is not None]
        if len(given) != 1:
            raise ConfigurationError("give either a bundle, --preset or --preprocessing: one of them")
        steps, opened = steps_of(given[0])
        size = shape_argument(input_shape)
        if size and opened is None:
            steps = steps.with_output_size(size[0], size[1])
        found = network_input(image, steps, bundle=opened, index=index)
        levels = write_input_picture(output, found.values) if output else None
        if as_json:
            values = {key: value for key, value in asdict(found).items() if key != "values"}
            print_json({**values, "picture": None if levels is None else {"file": output, "range": list(levels)}})
            return
        _print(found)
        if levels:
            print(f"{output}: black is {levels[0]:.4g}, white is {levels[1]:.4g}")


def _print(found: NetworkInput) -> None:
    place = "" if found.index is None else f", slice {found.index}"
    print_table(
        ("step", "settings", "shape", "lowest", "highest", "mean"),
        [
            (s.step, s.settings, " x ".join(map(str, s.shape)), f"{s.low:.4g}", f"{s.high:.4g}", f"{s.mean:.4g}")
            for s in found.stages
        ],
        title=f"{found.source}{place}, {found.dtype}",
    )
    if found.fix_point is not None:
        print(
            f"input: int8 with fix point {found.fix_point}, {-128 * 2.0**-found.fix_point:g} to "
            f"{127 * 2.0**-found.fix_point:g}; {found.saturated:.2%} of the values lie beyond and saturate"
        )
    for note in found.notes:
        print(f"note: {note}")
