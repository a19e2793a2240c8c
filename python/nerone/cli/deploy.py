"""nerone deploy MODEL --calibration DIR --preset P --board B -o NAME.nerone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, file_argument, one_of, print_json, print_log, progress_bars, shape_argument
from nerone.cli.mapping import print_mapping
from nerone.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from nerone.deployment import Bundle
    from nerone.quantization.vendor.quantizer import VendorQuantizer

__all__ = ["register"]

FINE, MISSED = 0, 1


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    from nerone.dpu.boards import board_names

    @application.command()
    def deploy(
        model: str = typer.Argument(
            None,
            help="Trained .keras, .h5, .onnx, .pt2, quantized .h5, .onnx, compiled .xmodel, or a bundle to send.",
        ),
        model_option: str = typer.Option(None, "-m", "--model", help="The model, as an option."),
        calibration: str = typer.Option(None, "--calibration", "--image_dir", help="Folder of calibration images."),
        preset: str = typer.Option(
            None, "--preset", help="Preprocessing, and classes: ct-org, brats, prostate-3t, bccd, rgb-imagenet ..."
        ),
        preprocessing: str = typer.Option(
            None, "--preprocessing", help="In place of the preset's: a JSON file of steps, or a bundle that has them."
        ),
        orientation: str = typer.Option(
            None, "--orientation", help="How the slices lie that the network was trained on: RAS, LPS, PLS ..."
        ),
        board: str = typer.Option(None, "--board", help=f"{board_names()}; host where not given."),
        output: str = typer.Option(
            None, "-o", "--output", help="The bundle to make: NAME.nerone; what is not given is kept from an older one."
        ),
        classes: str = typer.Option(None, "--classes", help="Class names in place of the preset's: liver,bone,..."),
        input_shape: str = typer.Option(None, "--input-shape", help="Sizes that the model leaves open: 256,256,1."),
        method: str = typer.Option("ptq", "--method", help="ptq, ffq or qat."),
        strategy: str = typer.Option("default", "--strategy", help="default, or vitis: the vendor's scheme."),
        backend: str = typer.Option("native", "--backend", help="native, or vai_q: the vendor's vai_q_tensorflow2."),
        vai_q_python: str = typer.Option(
            None, "--vai-q-python", "--vitis-python", help="Python interpreter that has vai_q_tensorflow2."
        ),
        vai_q_command: str = typer.Option(
            None,
            "--vai-q-command",
            "--vitis-command",
            help="Command that runs such a Python; {folder} becomes the folder with the files.",
        ),
        vai_q_time_limit: float = typer.Option(
            3600.0, "--vai-q-time-limit", "--vitis-time-limit", help="Seconds for vai_q_tensorflow2."
        ),
        max_drop: float = typer.Option(
            None,
            "--max-drop",
            help="Allowed drop of the metric, a share (0.005: half a percentage point); methods are tried until one "
            "keeps it. Exit 1 if none.",
        ),
        validation: str = typer.Option(None, "--validation", help="Labelled folder on which the drop is measured."),
        metric: str = typer.Option(None, "--metric", help="dice (mean Dice) or accuracy; what fits, by default."),
        labelled: str = typer.Option(None, "--labelled", help="Labelled folder that qat learns from."),
        images: int = typer.Option(None, "--images", help="Calibration images at most, 200 by default."),
        seed: int = typer.Option(0, "--seed", help="Chooses which calibration images are taken."),
        class_share: str = typer.Option(
            None, "--class-share", help="Share of calibration images that show a class: bladder=0.3,kidneys=0.4."
        ),
        class_factor: str = typer.Option(
            None,
            "--class-factor",
            help="Factor by which the share of a class is raised or lowered: bladder=3,bone=0.5.",
        ),
        option: str = typer.Option(
            None, "--option", help="Settings of the quantizer: finetune_epochs=4,train_rate=1e-4."
        ),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5, 3.0 or 3.5."),
        arch: str = typer.Option(None, "-a", "--arch", help="The board's own arch.json."),
        board_model: str = typer.Option(None, "--board-model", help="xmodel that the vendor's compiler made."),
        to: str = typer.Option(None, "--to", help="Copy it to a board over ssh and check it there: user@board[:dir]."),
        remote_python: str = typer.Option("python3", "--remote-python", help="The Python there that has NERONE."),
        ssh_option: list[str] = typer.Option(  # noqa: B008
            None, "--ssh-option", help="A setting of ssh_config, such as Port=2222; may be given several times."
        ),
        as_json: bool = typer.Option(False, "--json", help="Write the result as JSON."),
    ) -> int:
        """Quantize and compile a trained model into a bundle."""
        from nerone.bundle.bundle import bundle_path
        from nerone.deployment import deploy as make_bundle
        from nerone.deployment.plan import check_surroundings
        from nerone.deployment.redeploy import deployed_bundle, older_bundle
        from nerone.deployment.remote.transfer import deploy_to, examine_target
        from nerone.deployment.summary import quantization_lines
        from nerone.quantization.methods import METHODS
        from nerone.quantization.options import QuantizeOptions
        from nerone.quantization.ptq.post_training import STRATEGIES
        from nerone.quantization.quantize import BACKENDS

        path = file_argument(chosen(model, model_option, "model"), "model")
        ssh_options = ssh_settings(ssh_option)
        if to and deployed_bundle(path) is None:
            check_surroundings(preset, preprocessing, older_bundle(bundle_path(output)) if output else None)
        if to:
            # A board that is off shows before the minutes of quantization.
            examine_target(to, output or str(path), remote_python=remote_python, ssh_options=ssh_options)
        with progress_bars(quiet=as_json) as progress:
            bundle = make_bundle(
                path,
                calibration=calibration,
                preset=preset,
                preprocessing=preprocessing,
                orientation=orientation,
                board=board,
                output=output,
                class_names=classes.split(",") if classes else None,
                input_shape=shape_argument(input_shape),
                method=one_of("method", method, METHODS),
                strategy=one_of("strategy", strategy, STRATEGIES),
                backend=one_of("backend", backend, BACKENDS),
                vendor=_vendor(vai_q_python, vai_q_command, vai_q_time_limit),
                options=QuantizeOptions.read(_pairs(option, "--option")),
                max_drop=max_drop,
                validation=validation,
                metric=metric,
                labelled=labelled,
                images=images,
                seed=seed,
                class_shares=_targets(class_share, "--class-share"),
                class_factors=_targets(class_factor, "--class-factor"),
                vitis_ai=vitis_ai,
                arch=arch,
                board_model=file_argument(board_model, "xmodel") if board_model else None,
                progress=progress,
                log=print_log,
            )
            sent = None
            if to:
                sent = deploy_to(bundle, to, remote_python=remote_python, ssh_options=ssh_options, progress=progress)
        report = bundle.report()
        quantization, compilation = report.get("quantization", {}), report.get("compilation")
        missed = quantization.get("within") is False
        if as_json:
            values = {"bundle": str(bundle.path), "board": bundle.board, **_chosen_facts(report)}
            print_json({**values, "deployment": sent.to_dict()} if sent else values)
            return MISSED if missed else FINE
        if compilation:
            print_mapping(compilation)
        for line in (*quantization_lines(quantization), f"{bundle.path}: {_runs(bundle)}"):
            print(line)
        for line in sent.lines() if sent else ():
            print(line)
        return MISSED if missed else FINE


def _vendor(python: str | None, command: str | None, time_limit_s: float) -> VendorQuantizer | None:
    from nerone.quantization.vendor.quantizer import VendorQuantizer

    if python is None and command is None:
        return None
    return VendorQuantizer(python=python, command=command, time_limit_s=time_limit_s, log=print_log)


def _runs(bundle: Bundle) -> str:
    if source := bundle.report().get("compiled", {}).get("source"):
        place = "" if bundle.board_model_path is None else f" and {bundle.board}"
        return f"{source} unchanged, for the software DPU{place}"
    if bundle.board_model_path is None:
        return "the host compilation, which the software DPU runs anywhere"
    maker = "NERONE's own (experimental, not yet on silicon)" if _is_own(bundle.board_model_path) else "the vendor's"
    return f"the host compilation, and {maker} for {bundle.board}, equal to it bit for bit"


def _is_own(path: Path) -> bool:
    from nerone import _core

    return bool(_core.read_xmodel(path)["attrs"].get("origin") == "nerone")


def ssh_settings(texts: Sequence[str] | None) -> list[str]:
    """Return the settings of all --ssh-option."""
    return [setting for text in texts or () for setting in _settings(text)]


def _settings(text: str) -> list[str]:
    """Split Port=2222,User=root; a comma stays where no setting follows it, as in Ciphers=aes128-ctr,aes256-ctr."""
    return re.split(r",(?=[A-Z][A-Za-z]*[a-z][A-Za-z]*=)", text)


def _chosen_facts(report: Mapping[str, Any]) -> dict[str, Any]:
    quantization = {key: value for key, value in report.get("quantization", {}).items() if key != "layers"}
    return {"quantization": quantization, "compilation": report.get("compilation")}


def _pairs(text: str | None, option: str) -> dict[str, str]:
    """Read "a=1,b=2"."""
    found = {}
    for part in text.split(",") if text else ():
        name, separator, value = part.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise ConfigurationError(f"{option} has '{part}'; expected NAME=VALUE,NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def _targets(text: str | None, option: str) -> dict[str | int, float] | None:
    found: dict[str | int, float] = {}
    for name, value in _pairs(text, option).items():
        try:
            found[int(name) if name.isdecimal() else name] = float(value)
        except ValueError as error:
            raise ConfigurationError(f"{option} of '{name}' is '{value}'; expected a number") from error
    return found or None
