"""nerone bench NAME.nerone [SCANS] [--backend vart,pynq] [--device zcu104-sim]."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, file_argument, print_json, print_table
from nerone.errors import ConfigurationError
from nerone.ownership import temporary_folder

if TYPE_CHECKING:
    import typer

    from nerone.bundle.bundle import Bundle
    from nerone.evaluation.bench import BenchReport, BenchRow
    from nerone.evaluation.metrics import Summary

__all__ = ["register"]

_NAMES = {"vart": "VART", "pynq": "PYNQ-DPU", "keras": "Keras (FP32 on this CPU)"}
_LATENCIES = ("p50", "p90", "p99", "max")


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    from nerone.dpu.boards import SIMULATED

    @application.command()
    def bench(
        bundle: str = typer.Argument(None, help="Bundle NAME.nerone."),
        scans: str = typer.Argument(None, help="File or folder of frames; phantoms where none is given."),
        model_option: str = typer.Option(None, "-m", "--model", help="The bundle, as an option."),
        image_dir: str = typer.Option(None, "--image_dir", help="The frames, as an option."),
        backend: str = typer.Option("vart,pynq", "--backend", help="Of vart, pynq and keras, side by side."),
        device: str = typer.Option(
            "softdpu", "--device", help=f"softdpu, board, or simulated: {', '.join(SIMULATED)}."
        ),
        threads: str = typer.Option(None, "-t", "--threads", help="Workers: a number, or 1..N to sweep."),
        runs: int = typer.Option(5, "--runs", help="Independent runs."),
        seconds: float = typer.Option(1.0, "--seconds", help="Length of a run."),
        power: str = typer.Option("auto", "--power", help="auto, none, hwmon, nvml, rapl, pynq, csv:FILE, constant:W."),
        baseline: str = typer.Option(None, "--baseline", help="The trained FP32 model, for the keras backend."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Measure frames per second, latency, stages and power, from the image to the mask."""
        from nerone.bundle.bundle import Bundle
        from nerone.evaluation.bench import bench as measure
        from nerone.evaluation.power import open_meter

        opened = Bundle.open(file_argument(chosen(bundle, model_option, "bundle"), "bundle"))
        meter = open_meter(power)
        trained = _trained(baseline)
        reports = []
        with _frames(opened, scans or image_dir) as source:
            for count in _thread_counts(threads):
                reports.append(
                    measure(
                        opened,
                        source,
                        backends=[name.strip() for name in backend.split(",") if name.strip()],
                        device=device,
                        threads=count,
                        runs=runs,
                        seconds=seconds,
                        meter=meter,
                        baseline=trained,
                    )
                )
        if as_json:
            print_json([{**dataclasses.asdict(report), "ratios": report.ratios()} for report in reports])
            return
        for report in reports:
            _print(report)


def _thread_counts(text: str | None) -> list[int | None]:
    if text is None:
        return [None]
    first, dots, last = text.partition("..")
    try:
        counts = list(range(int(first), int(last) + 1)) if dots else [int(first)]
    except ValueError:
        counts = []
    if not counts or counts[0] < 1:
        raise ConfigurationError(f"'{text}' is no number of threads; give for example 2, or 1..4")
    return list(counts)


def _trained(path: str | None) -> Any:
    if path is None:
        return None
    from nerone.graph.trained import load_keras_model

    return load_keras_model(file_argument(path, "model"))


@contextlib.contextmanager
def _frames(bundle: Bundle, scans: str | None) -> Iterator[Path]:
    """Give the frames' path; phantoms of the bundle's task, drawn for this run, where none was given."""
    from nerone.data.phantom_sets import PHANTOM_TASKS, write_phantoms

    if scans is not None:
        yield file_argument(scans, "scan or folder of scans")
        return
    preset = bundle.preset.removeprefix("paper-").removesuffix("-3t")
    if preset not in PHANTOM_TASKS:
        raise ConfigurationError("this bundle has no preset with phantoms; name a file or folder of frames")
    with temporary_folder("bench") as folder:
        size = 512 if preset == "ct-org" else None
        write_phantoms(preset, folder, count=4 if preset == "bccd" else 1, size=size, slices=8)
        yield Path(folder)


def _print(report: BenchReport) -> None:
    title = report.bundle
    if report.frames_compared:
        title += f", {report.frames_compared} frames compared and equal before timing"
    columns = (
        "backend",
        "device",
        "threads",
        "FPS",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "device use",
        "W",
        "FPS/W",
    )
    print_table(columns, [_cells(row) for row in report.rows], title=title)
    for row in report.rows:
        if row.stages_ms:
            stages = ", ".join(f"{name} {value:.3f}" for name, value in row.stages_ms.items())
            print(f"{row.backend}: mean milliseconds per frame: decode {report.decode_ms:.3f} (not timed), {stages}")
    for pair, ratio in report.ratios().items():
        first, other = (_NAMES[name] for name in pair.split("/"))
        print(f"{first} is {ratio:.2f} times {other} on {report.rows[0].device}")
    for note in report.notes:
        print(f"{report.rows[0].device}: {note}; the host's cores are faster than a board's, which favours PYNQ-DPU")
    print(f"Throughput={report.rows[0].fps.mean:.2f} fps")


def _cells(row: BenchRow) -> list[str]:
    latency = [f"{row.latency_ms[name]:.2f}" if name in row.latency_ms else "n/a" for name in _LATENCIES]
    use = "n/a" if row.utilisation is None else f"{100 * row.utilisation:.1f} %"
    return [
        row.backend, row.device, str(row.threads), _plus_minus(row.fps, 1), *latency, use,
        _plus_minus(row.watts, 2), _plus_minus(row.efficiency, 2),
    ]  # fmt: skip


def _plus_minus(value: Summary | None, digits: int) -> str:
    if value is None:
        return "n/a"
    deviation = f" ± {value.deviation:.{digits}f}" if value.count > 1 else ""
    return f"{value.mean:.{digits}f}{deviation}"
