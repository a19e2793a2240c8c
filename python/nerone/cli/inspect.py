"""nerone inspect FILE: subgraphs, ops, fix points, MACs, fingerprint, and what stays on the CPU and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, print_json, print_table, xmodel_argument
from nerone.cli.mapping import print_mapping

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def inspect(
        file: str = typer.Argument(None, help="An xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        ops: bool = typer.Option(False, "--ops", help="List every op."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Show what a compiled model holds and where it runs."""
        from nerone.deployment.description import describe

        found = describe(xmodel_argument(chosen(file, model_option, "xmodel or bundle")))
        if as_json:
            print_json(found)
            return
        _print(found, ops)


def _print(found: dict[str, Any], ops: bool) -> None:
    model = found["model"]
    bundle = found.get("bundle")
    if bundle:
        print(
            f"{bundle['path']}: bundle for {bundle['board']}, {bundle['output']} of {', '.join(bundle['class_names'])}"
        )
        print(f"preprocessing: {', '.join(bundle['preprocessing'])}")
    boards = f" ({', '.join(model['boards'])})" if model["boards"] else ""
    print(f"{model['file']}: {model['name']}, {model['dpu'] or 'not compiled'}")
    print(f"fingerprint: {model['fingerprint'] or 'none, software DPU'}{boards}")
    print(f"{model['macs'] / 1e9:.3f} GMAC per image, {model['weight_bytes'] / 1e3:.1f} kB of weights")
    for what in ("inputs", "outputs"):
        for tensor in model[what]:
            fix = "" if tensor["fix_point"] is None else f", fix point {tensor['fix_point']}"
            print(f"{what[:-1]} {tensor['name']}: {tuple(tensor['shape'])} {tensor['data_type']}{fix}")
    print_table(
        ("subgraph", "device", "ops", "GMAC", "kinds"),
        [
            (row["name"], row["device"], row["ops"], f"{row['macs'] / 1e9:.3f}", _kinds(row["kinds"]))
            for row in model["subgraphs"]
        ],
    )
    compilation = found.get("report", {}).get("compilation", {})
    if compilation.get("layers"):
        print_mapping(compilation)
    if ops or not model["compiled"]:
        print_table(
            ("op", "type", "device", "shape", "fix point", "MMAC"),
            [
                (row["name"], row["type"], row["device"], row["shape"], row["fix_point"], f"{row['macs'] / 1e6:.2f}")
                for row in model["ops"]
            ],
        )
    if model["on_cpu"] and not compilation.get("layers"):
        print_table(("on the CPU", "type", "why"), [(row["op"], row["type"], row["reason"]) for row in model["on_cpu"]])


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
