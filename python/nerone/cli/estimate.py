"""nerone estimate FILE --board B: frames per second from the DPU's cycles and memory traffic."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.cli.console import chosen, print_json, print_table, xmodel_argument
from nerone.compat import zip

if TYPE_CHECKING:
    import typer

    from nerone.compilation.estimate import Estimate
    from nerone.compilation.paper.estimates import EstimatedRow
    from nerone.compilation.paper.table import Printed

__all__ = ["register"]

# Rates above this one are compared with what this machine hands out.
_QUICK_FPS = 2000.0


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    from nerone.dpu.boards import board_names

    @application.command()
    def estimate(
        file: str = typer.Argument(None, help="An xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        board: str = typer.Option(
            None, "--board", help=f"{board_names(host=False)}; the board of a bundle, else zcu104, where not given."
        ),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5, 3.0 or 3.5."),
        watts: float = typer.Option(None, "--watts", help="Power of the running board, from a meter."),
        layers: bool = typer.Option(False, "--layers", help="List every op."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Predict latency and frames per second on a board, without the board."""
        from nerone.compilation.estimate import estimate as predict
        from nerone.compilation.paper.estimates import estimated_rows
        from nerone.evaluation.speed import host_us_per_job
        from nerone.runtime.model import model_path

        source = xmodel_argument(chosen(file, model_option, "xmodel or bundle"))
        file_path = model_path(source)
        found = predict(file_path, board=board or _board_of(source), vitis_ai=vitis_ai, watts=watts)
        if found.fps > _QUICK_FPS:
            found = found.bounded(host_us_per_job(file_path))
        rows = estimated_rows()
        if as_json:
            print_json({**asdict(found), "table1": [_as_json(row) for row in rows]})
            return
        if layers:
            _print_layers(found)
        _print(found)
        _print_paper(rows)


def _board_of(source: Path) -> str:
    from nerone.bundle.bundle import Bundle, is_bundle

    made_for = Bundle.open(source).board if is_bundle(source) else "host"
    return "zcu104" if made_for == "host" else made_for


def _print_layers(found: Estimate) -> None:
    cells = [
        (
            row.name,
            row.type,
            f"{row.macs / 1e6:.2f}",
            row.cycles,
            f"{row.traffic_bytes / 1e3:.0f}",
            f"{row.time_us:.0f}",
        )
        for row in found.layers
    ]
    print_table(("op", "type", "MMAC", "cycles", "kB", "us"), cells)


def _print(found: Estimate) -> None:
    print(f"{found.board}, {found.cores} x {found.dpu}: estimated, not measured")
    if found.source == "instructions":
        print("from the file's instructions in time: four units, tokens, memory shared by the cores")
    share = f"at {found.utilisation:.0%} of the DPU's peak; layers on the CPU are not in it"
    print(f"latency {found.latency_ms:.2f} ms per image on one core, {share}")
    if found.job_us is None:
        print(f"Throughput={found.fps:.1f} fps with all cores busy")
    else:
        print(
            f"Throughput={found.fps:.1f} fps at most: the network is so small that the host's work on each job counts"
        )
        print(
            f"({found.job_us:.0f} us measured on this machine; a board's cores are slower, and take several times that)"
        )
    if found.watts is None or found.fps_per_watt is None:
        print(f"W and fps/W: n/a, no measured power of {found.board} is published; give a meter's with --watts")
    else:
        how = "as given" if found.watts_source == "given" else "fitted to the paper's measurements of this board"
        print(f"{found.watts:.1f} W, {found.fps_per_watt:.2f} fps/W ({how})")
    if found.pynq_fps is not None and found.pynq_watts is not None:
        loop = f"{found.pynq_fps:.1f} fps, {found.pynq_watts:.1f} W, {found.pynq_fps / found.pynq_watts:.2f} fps/W"
        print(f"with PYNQ-DPU's Python loop, images prepared before: {loop}")


def _as_json(row: EstimatedRow) -> dict[str, object]:
    errors = dict(zip(("fps_error", "watts_error", "efficiency_error"), row.errors(), strict=True))
    return {**asdict(row), "efficiency": row.efficiency, **errors}


def _beside(estimated: float, paper: Printed, error: float, digits: int) -> tuple[str, str, str]:
    """Return an estimate, the paper's value, and the relative difference in words."""
    return f"{estimated:.{digits}f}", f"{paper.mean:.{digits}f}", f"{error:+.0%}"


def _print_paper(rows: list[EstimatedRow]) -> None:
    cells = []
    for row in rows:
        fps_error, watts_error, efficiency_error = row.errors()
        cells.append(
            (
                row.network,
                row.paper.backend,
                row.paper.device + (" (projected)" if row.paper.projected else ""),
                *_beside(row.fps, row.paper.fps, fps_error, 1),
                *_beside(row.watts, row.paper.watts, watts_error, 1),
                *_beside(row.efficiency, row.paper.efficiency, efficiency_error, 2),
            )
        )
    columns = ("network", "backend", "board", "fps", "paper", "error", "W", "paper", "error", "fps/W", "paper", "error")
    print_table(columns, cells, title="The same estimate for the networks of the paper's Table I")
    print(
        "PYNQ-DPU's time beside the DPU and the watts rest on constants of a board; each row's are fitted to the other "
        "rows of that board. The paper calculated its projected rows from PYNQ-DPU's: there the error is a difference "
        "between two estimates"
    )
