"""nerone compile MODEL --board B -o OUT.xmodel: quantize where needed, lower, and say what runs where."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, file_argument, print_json, print_log, progress_bars, shape_argument
from nerone.cli.mapping import print_mapping

if TYPE_CHECKING:
    import typer

    from nerone.compilation import CompiledModel
    from nerone.compilation.emit.compile import Emitted
    from nerone.compilation.vendor.compiler import VendorCompilation

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    from nerone.dpu.boards import board_names

    @application.command()
    def compile(
        model: str = typer.Argument(
            None, help="q_model.h5, quantized .onnx, *_int.xmodel, or trained with --calibration."
        ),
        model_option: str = typer.Option(None, "-m", "--model", help="The model, as an option."),
        output: str = typer.Option(
            ...,
            "-o",
            "--output",
            "--output_dir",
            help="The xmodel to write; for a board NAME_vitis_ai/ lies beside it.",
        ),
        board: str = typer.Option("host", "--board", help=f"{board_names()}."),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5, 3.0 or 3.5."),
        arch: str = typer.Option(None, "-a", "--arch", help="The board's own arch.json."),
        name: str = typer.Option("model", "-n", "--net_name", help="Name for the vendor's compiler."),
        calibration: str = typer.Option(None, "--calibration", "--image_dir", help="Folder of calibration images."),
        preset: str = typer.Option(None, "--preset", help="Preprocessing: ct-org, bccd, rgb-imagenet ..."),
        preprocessing: str = typer.Option(
            None, "--preprocessing", help="In place of the preset's: a JSON file of steps, or a bundle that has them."
        ),
        classes: str = typer.Option(None, "--classes", help="Class names in place of the preset's: liver,bone,..."),
        input_shape: str = typer.Option(None, "--input-shape", help="Sizes that the model leaves open: 256,256,1."),
        images: int = typer.Option(None, "--images", help="Calibration images at most."),
        compiler: str = typer.Option(
            "auto",
            "--compiler",
            help="Where the vendor's compiler is: path, docker, podman or none; auto: PATH, else an image here. "
            "nerone: NERONE's own (experimental).",
        ),
        container_image: str = typer.Option(
            None, "--container-image", help="The vendor's image, in place of the one of that Vitis AI version."
        ),
        time_limit: float = typer.Option(1800.0, "--time-limit", help="Seconds for the vendor's compiler."),
        as_json: bool = typer.Option(False, "--json", help="Write the mapping report as JSON."),
    ) -> None:
        """Compile a model and report what runs where; for a board also with the vendor's compiler."""
        from nerone.deployment.board_target import board_target
        from nerone.deployment.make_xmodel import VendorRun, compile_file
        from nerone.deployment.request import CalibrationDraw, Quantization, Request, Surroundings

        path = file_argument(chosen(model, model_option, "model"), "model")
        request = Request(
            calibration=calibration,
            surroundings=Surroundings(
                preset=preset,
                preprocessing=preprocessing,
                class_names=classes.split(",") if classes else None,
                input_shape=shape_argument(input_shape),
            ),
            quantization=Quantization(draw=CalibrationDraw(images=images)),
        )
        with contextlib.ExitStack() as bars:
            progress = bars.enter_context(progress_bars(quiet=as_json))

            def show(compiled: CompiledModel) -> None:
                # Before the vendor's compiler starts; its log then has the terminal for itself.
                bars.close()
                if not as_json:
                    print_mapping(compiled.report)

            compiled, vendor = compile_file(
                path,
                request,
                board_target(board, vitis_ai=vitis_ai, arch=arch, board_model=None, log=print_log),
                output=output,
                vendor=VendorRun(name=name, compiler=compiler, image=container_image, time_limit_s=time_limit),
                progress=progress,
                report=show,
            )
        if as_json:
            print_json({"output": compiled.path, **_made(vendor), **compiled.report})
            return
        print(f"{compiled.path}: for the software DPU")
        for line in _lines(vendor, board) if vendor else ():
            print(line)


def _made(vendor: VendorCompilation | Emitted | None) -> dict[str, Any]:
    from nerone.compilation.emit.compile import Emitted

    if isinstance(vendor, Emitted):
        proof = {**asdict(vendor.proof), "on_silicon": False}
        sizes = {"workspace_bytes": vendor.workspace_bytes, "moved_bytes": vendor.moved_bytes}
        return {"vendor": None, "own": {"xmodel": vendor.path, "dpu": vendor.machine.name, "proof": proof, **sizes}}
    return {"vendor": _vendor(vendor)}


def _vendor(vendor: VendorCompilation | None) -> dict[str, Any] | None:
    if vendor is None:
        return None
    made = {"folder": vendor.folder, "xmodel": vendor.xmodel, "script": vendor.script, "compiler": vendor.compiler}
    return {**made, "check": asdict(vendor.check) if vendor.check else None}


def _lines(vendor: VendorCompilation | Emitted, board: str) -> list[str]:
    from nerone.compilation.emit.compile import Emitted
    from nerone.dpu.fingerprints import fingerprint_text

    if isinstance(vendor, Emitted):
        return [f"{vendor.path}: for {board}, by NERONE's own compiler: {vendor.note()}"]
    if vendor.xmodel is None or vendor.check is None:
        return [
            f"{vendor.folder}: ready for the vendor's compiler, which is not here; run {vendor.script.name} there, "
            f"then nerone deploy {vendor.folder}/*_int.xmodel --board-model {vendor.folder}/compiled/*.xmodel ..."
        ]
    check = vendor.check
    return [
        f"{vendor.xmodel}: for {board}, fingerprint {fingerprint_text(check.fingerprint)}, "
        f"DPU subgraphs: {check.dpu_subgraphs}; equal to the software DPU's bit for bit on {check.images} images",
        *check.notes(),
    ]
