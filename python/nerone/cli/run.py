"""nerone run NAME.nerone SCANS -o OUT, and nerone run MODEL.xmodel --raw-input in.npy --raw-output out.npy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from nerone.cli.config import config_option
from nerone.cli.console import chosen, file_argument, print_json, progress_bars
from nerone.errors import ConfigurationError

if TYPE_CHECKING:
    import typer

    from nerone.runtime.prediction.options import RunOptions

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def run(
        model: str = typer.Argument(None, help="Bundle NAME.nerone; with --raw-input also an xmodel."),
        scans: str = typer.Argument(None, help="File or folder of NIfTI, DICOM, PNG, JPEG ..."),
        model_option: str = typer.Option(None, "-m", "--model", help="The bundle, as an option."),
        image_dir: str = typer.Option(None, "--image_dir", help="The scans, as an option."),
        output: str = typer.Option(None, "-o", "--output", "--output_dir", help="Folder for masks or the table."),
        raw_input: str = typer.Option(None, "--raw-input", help="Array (.npy) to feed to the network as it is."),
        raw_output: str = typer.Option(None, "--raw-output", help="Where the network's output goes (.npy)."),
        device: str = typer.Option("softdpu", "--device", help="softdpu or board."),
        backend: str = typer.Option("vart", "--backend", help="vart, or pynq: the paper's loop in Python."),
        threads: int = typer.Option(None, "-t", "--threads", help="Workers of the pipeline."),
        output_format: str = typer.Option(
            "nifti", "--format", help="Of volumes' masks: nifti, png, dicom-seg or dicom-labelmap."
        ),
        resample: str = typer.Option(
            "nearest", "--resample", help="To the scan's grid: nearest, or linear: probabilities are interpolated."
        ),
        colours: bool = typer.Option(
            False, "--colours", help="Beside each PNG mask also a picture in the classes' colours."
        ),
        report: str = typer.Option(None, "--report", help="Table of volumes and Dice per class: FILE.csv or .json."),
        shard: str = typer.Option(None, "--shard", help="Run the I-th of N parts of the scans: I/N."),
        resume: bool = typer.Option(False, "--resume", help="Leave out what an earlier run has finished."),
        manifest: bool = typer.Option(False, "--manifest", help="Keep manifest.jsonl, from which --resume goes on."),
        skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out files that cannot be read."),
        config: str = config_option(),
        as_json: bool = typer.Option(False, "--json", help="Write the result as JSON."),
    ) -> None:
        """Segment or classify scans and pictures with a bundle."""
        from nerone.runtime.prediction.options import RunOptions, shard_of

        first, second = (None, model) if model_option and not scans else (model, scans)
        path = file_argument(chosen(first, model_option, "bundle or xmodel"), "bundle or xmodel")
        if raw_input or raw_output:
            _run_raw(path, raw_input, raw_output, device)
            return
        if path.is_file():
            raise ConfigurationError(f"'{path}' is a file; give a bundle NAME.nerone, or --raw-input for an xmodel")
        if output is None:
            raise ConfigurationError("no output was given; name a folder with -o")
        scans = chosen(second, image_dir, "scan or folder of scans")
        if backend not in ("vart", "pynq"):
            raise ConfigurationError(f"there is no backend '{backend}'; expected vart or pynq")
        options = RunOptions(
            device=device,
            backend=cast("Literal['vart', 'pynq']", backend),
            threads=threads,
            format=output_format,
            resample=resample,
            skip_bad=skip_bad,
            shard=shard_of(shard),
            resume=resume,
            manifest=manifest,
            dice=report is not None,
            colours=colours,
        )
        _run_scans(path, scans, output, options, report, as_json)


def _run_raw(path: Path, raw_input: str | None, raw_output: str | None, device: str) -> None:
    from nerone.runtime.prediction.arrays import run_raw

    if not raw_input or not raw_output:
        raise ConfigurationError("--raw-input and --raw-output go together; give both")
    result = run_raw(path, raw_input, raw_output, device=device)
    print(f"{raw_output}: {result.shape} {result.dtype}")


def _run_scans(path: Path, scans: str, output: str, options: RunOptions, report: str | None, as_json: bool) -> None:
    from nerone.bundle.bundle import Bundle
    from nerone.runtime.prediction.files import predict_files
    from nerone.runtime.prediction.report import check_report, write_report

    if report is not None:
        check_report(report)
    bundle = Bundle.open(path)
    with progress_bars(quiet=as_json) as progress:
        written, skipped = predict_files(bundle, scans, output, options=options, progress=progress)
    if report is not None:
        write_report(report, written)
    if as_json:
        results = [
            {
                "source": str(w.source),
                "target": str(w.target),
                "counts": w.counts,
                "volumes_ml": w.volumes_ml,
                "notes": w.notes,
                "resumed": w.resumed,
            }
            for w in written
        ]
        print_json({"results": results, "skipped": [[str(file), reason] for file, reason in skipped]})
        return
    for item in written:
        counts = ", ".join(f"{name} {count}" for name, count in item.counts.items() if count)
        print(f"{item.source} -> {item.target}: {counts}")
        for note in item.notes:
            print(f"note: {item.source}: {note}")
    for file, reason in skipped:
        print(f"left out {file}: {reason}")
