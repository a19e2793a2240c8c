"""nerone compile MODEL --board B -o OUT.xmodel: quantize where needed, lower, and say what runs where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, file_argument, print_json, print_table, progress_bars

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def compile(
        model: str = typer.Argument(None, help="q_model.h5, *_int.xmodel, or a trained model with --calibration."),
        model_option: str = typer.Option(None, "-m", "--model", help="The model, as an option."),
        output: str = typer.Option(..., "-o", "--output", "--output_dir", help="The xmodel to write."),
        board: str = typer.Option("host", "--board", help="host, ultra96v2, kv260 or zcu104."),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5 or 3.0."),
        arch: str = typer.Option(None, "-a", "--arch", help="The board's own arch.json."),
        name: str = typer.Option("model", "-n", "--net_name", help="Name for the vendor's compiler."),
        calibration: str = typer.Option(None, "--calibration", "--image_dir", help="Folder of calibration images."),
        preset: str = typer.Option(None, "--preset", help="Preprocessing of the calibration images."),
        images: int = typer.Option(None, "--images", help="Calibration images at most."),
        as_json: bool = typer.Option(False, "--json", help="Write the mapping report as JSON."),
    ) -> None:
        """Compile a model and report what runs where; for a board also with the vendor's compiler."""
        from nerone.deployment.compiling import compile_file

        path = file_argument(chosen(model, model_option, "model"), "model")
        with progress_bars(quiet=as_json) as progress:
            compiled, vendor = compile_file(
                path,
                output=output,
                board=board,
                vitis_ai=vitis_ai,
                arch=arch,
                name=name,
                calibration=calibration,
                preset=preset,
                images=images,
                progress=progress,
            )
        if as_json:
            made = {"folder": vendor.folder, "xmodel": vendor.xmodel, "script": vendor.script} if vendor else None
            print_json({"output": compiled.path, "vendor": made, **compiled.report})
            return
        _print(compiled.report)
        print(f"{compiled.path}: for the software DPU")
        if vendor and vendor.xmodel:
            print(f"{vendor.xmodel}: for {board}, equal to the software DPU bit for bit")
        elif vendor:
            print(f"{vendor.folder}: run {vendor.script.name} there in the vendor's container for {board}'s own model")


def _print(report: Any) -> None:
    rows = [
        (row["layer"], row["op"], row["device"], f"{row['macs'] / 1e6:.2f}", row["fix_point"], row["reason"])
        for row in report["layers"]
    ]
    print_table(("layer", "op", "device", "MMAC", "fix point", "why"), rows)
    share = f"{report['on_dpu']:.1%} on the {report['dpu']} of {report['board']}"
    print(f"{report['macs'] / 1e9:.3f} GMAC per image, {share}")
