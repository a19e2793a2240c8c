"""nerone estimate FILE --board B: frames per second from the DPU's cycles and memory traffic."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.cli.console import chosen, print_json, print_table, xmodel_argument

if TYPE_CHECKING:
    import typer

    from nerone.compilation.estimate import Estimate
    from nerone.compilation.paper_rows import PaperRow

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def estimate(
        file: str = typer.Argument(None, help="An xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        board: str = typer.Option(
            None, "--board", help="ultra96v2, kv260 or zcu104; the board of a bundle, else zcu104, where not given."
        ),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5 or 3.0."),
        watts: float = typer.Option(None, "--watts", help="Power of the running board, from a meter."),
        layers: bool = typer.Option(False, "--layers", help="List every op."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Predict latency and frames per second on a board, without the board."""
        from nerone.compilation.estimate import estimate as predict
        from nerone.compilation.paper_rows import paper_rows
        from nerone.runtime.model import model_path

        source = xmodel_argument(chosen(file, model_option, "xmodel or bundle"))
        found = predict(model_path(source), board=board or _board_of(source), vitis_ai=vitis_ai, watts=watts)
        rows = paper_rows()
        if as_json:
            print_json({**asdict(found), "table1": [{**asdict(row), "error": row.error} for row in rows]})
            return
        if layers:
            _print_layers(found)
        _print(found)
        _print_paper(rows)


def _board_of(source: Path) -> str:
    from nerone.deployment.bundle import Bundle, is_bundle

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
    share = f"at {found.utilisation:.0%} of the DPU's peak; layers on the CPU are not in it"
    print(f"latency {found.latency_ms:.2f} ms per image on one core, {share}")
    print(f"Throughput={found.fps:.1f} fps with all cores busy")
    if found.watts is None or found.fps_per_watt is None:
        print(f"W and fps/W: n/a, no measured power of {found.board} is published; give a meter's with --watts")
    else:
        how = (
            "as given"
            if found.watts_source == "given"
            else "from a published measurement of this board, all cores busy"
        )
        print(f"{found.watts:.1f} W, {found.fps_per_watt:.2f} fps/W ({how})")


def _print_paper(rows: list[PaperRow]) -> None:
    cells = [
        (
            row.network,
            row.backend,
            row.board,
            row.cores,
            f"{row.estimated_fps:.1f}",
            "not known" if row.paper_fps is None else f"{row.paper_fps:.1f}",
            "" if row.error is None else f"{row.error:+.1%}",
        )
        for row in rows
    ]
    title = "The same estimate for the networks of the paper's Table I"
    print_table(("network", "backend", "board", "cores", "estimated fps", "paper's fps", "error"), cells, title=title)
    known = sum(row.paper_fps is not None for row in rows)
    print(
        f"the paper's value is known here for {known} of {len(rows)} rows; with PYNQ-DPU the estimate is the DPU's own "
        "rate, which the Python around it does not reach"
    )
