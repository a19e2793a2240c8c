"""nerone estimate FILE --board B: frames per second from the DPU's cycles and memory traffic."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from nerone.cli.console import chosen, file_argument, print_json, print_table

if TYPE_CHECKING:
    import typer

    from nerone.compilation.estimate import Estimate

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def estimate(
        file: str = typer.Argument(None, help="An xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        board: str = typer.Option("zcu104", "--board", help="ultra96v2, kv260 or zcu104."),
        vitis_ai: str = typer.Option(None, "--vitis-ai", help="Version of the board's overlay: 1.4, 2.5 or 3.0."),
        watts: float = typer.Option(None, "--watts", help="Power of the running board, from a meter."),
        layers: bool = typer.Option(False, "--layers", help="List every op."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Predict latency and frames per second on a board, without the board."""
        from nerone.compilation.estimate import estimate as predict
        from nerone.runtime.model import model_path

        path = model_path(file_argument(chosen(file, model_option, "xmodel or bundle"), "file"))
        found = predict(path, board=board, vitis_ai=vitis_ai, watts=watts)
        if as_json:
            print_json(asdict(found))
        else:
            _print(found, layers)


def _print(found: Estimate, layers: bool) -> None:
    from nerone.compilation.paper_rows import paper_error

    if layers:
        print_table(
            ("op", "type", "MMAC", "cycles", "kB", "us"),
            [
                (
                    row.name,
                    row.type,
                    f"{row.macs / 1e6:.2f}",
                    row.cycles,
                    f"{row.traffic_bytes / 1e3:.0f}",
                    f"{row.time_us:.0f}",
                )
                for row in found.layers
            ],
        )
    print(f"{found.board}, {found.cores} x {found.dpu}: estimated, not measured")
    print(f"latency {found.latency_ms:.2f} ms per image on one core, {found.utilisation:.0%} of the DPU's peak")
    print(f"Throughput={found.fps:.1f} fps with all cores busy")
    if found.fps_per_watt is None:
        print("W and fps/W: n/a without a measured power, see --watts")
    else:
        print(f"{found.watts:.1f} W, {found.fps_per_watt:.2f} fps/W")
    for network, measured, predicted in paper_error():
        print(
            f"for comparison, {network}: estimated {predicted:.1f} fps, the paper measured {measured:.1f} fps "
            f"({predicted / measured - 1:+.1%})"
        )
