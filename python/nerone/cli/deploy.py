"""nerone deploy MODEL --calibration DIR --preset P --board B -o NAME.nerone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone.cli.console import chosen, file_argument, print_json, progress_bars

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def deploy(
        model: str = typer.Argument(None, help="Trained model: .keras, .h5, or a quantized q_model.h5."),
        model_option: str = typer.Option(None, "-m", "--model", help="The model, as an option."),
        calibration: str = typer.Option(None, "--calibration", "--image_dir", help="Folder of calibration images."),
        preset: str = typer.Option(
            None, "--preset", help="Preprocessing and classes: ct-org, brats, prostate-3t, bccd ..."
        ),
        board: str = typer.Option("host", "--board", help="host, ultra96v2, kv260 or zcu104."),
        output: str = typer.Option(..., "-o", "--output", help="The bundle to make: NAME.nerone."),
        classes: str = typer.Option(None, "--classes", help="Class names in place of the preset's: liver,bone,..."),
        method: str = typer.Option("ptq", "--method", help="ptq, ffq or qat."),
        images: int = typer.Option(None, "--images", help="Calibration images at most."),
        seed: int = typer.Option(0, "--seed", help="Shifts which calibration images are taken."),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5 or 3.0."),
        arch: str = typer.Option(None, "-a", "--arch", help="The board's own arch.json."),
        board_model: str = typer.Option(None, "--board-model", help="xmodel that the vendor's compiler made."),
        to: str = typer.Option(None, "--to", help="Copy it to a board over ssh and check it there: user@board[:dir]."),
        remote_python: str = typer.Option("python3", "--remote-python", help="The Python there that has NERONE."),
        ssh_option: str = typer.Option(None, "--ssh-option", help="Settings of ssh_config: Port=2222,User=root."),
        as_json: bool = typer.Option(False, "--json", help="Write the result as JSON."),
    ) -> None:
        """Quantize and compile a trained model into a bundle."""
        from nerone.deployment import deploy as make_bundle
        from nerone.deployment.remote import deploy_to, examine_target

        path = file_argument(chosen(model, model_option, "model"), "model")
        ssh_options = ssh_option.split(",") if ssh_option else []
        if to:
            # A board that is off is told before the minutes of quantization.
            examine_target(to, output, remote_python=remote_python, ssh_options=ssh_options)
        with progress_bars(quiet=as_json) as progress:
            bundle = make_bundle(
                path,
                calibration=calibration,
                preset=preset,
                board=board,
                output=output,
                class_names=classes.split(",") if classes else None,
                method=method,
                images=images,
                seed=seed,
                vitis_ai=vitis_ai,
                arch=arch,
                board_model=file_argument(board_model, "xmodel") if board_model else None,
                progress=progress,
            )
            sent = None
            if to:
                sent = deploy_to(bundle, to, remote_python=remote_python, ssh_options=ssh_options, progress=progress)
        compilation = bundle.report()["compilation"]
        if as_json:
            values = {"bundle": str(bundle.path), "board": bundle.board, "compilation": compilation}
            print_json({**values, "deployment": sent.to_dict()} if sent else values)
            return
        print(f"{bundle.path}: {compilation['macs'] / 1e9:.3f} GMAC per image, {compilation['on_dpu']:.1%} on the DPU")
        for row in compilation["layers"]:
            if row["device"] == "CPU" and row["xir_ops"]:
                print(f"on the CPU: {row['op']} of {row['layer']}, {row['reason']}")
        for line in sent.lines() if sent else ():
            print(line)
