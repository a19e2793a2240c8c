"""nerone profile FILE: time, GMAC/s and bytes of each layer on the software DPU, beside the processor's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone.cli.console import chosen, file_argument, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from nerone.evaluation.profile import Profile

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def profile(
        file: str = typer.Argument(None, help="An xmodel or a bundle."),
        model_option: str = typer.Option(None, "-m", "--model", help="The file, as an option."),
        kernels: str = typer.Option(
            "auto", "--kernels", help="auto, jit, jit-avx-vnni, jit-avx2, onednn, portable, scalar or isa."
        ),
        device: str = typer.Option(None, "--device", help="A board: its units' time per layer, from the instructions."),
        seconds: float = typer.Option(2.0, "--seconds", help="How long to measure."),
        picture: str = typer.Option(None, "-o", "--picture", help="Draw bars per layer into this file (.png, .svg)."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Show where the software DPU's time goes, or a board's."""
        from nerone.evaluation.profile import profile as measure

        path = file_argument(chosen(file, model_option, "xmodel or bundle"), "file")
        if device and device != "softdpu":
            _profile_board(path, device, as_json)
            return
        found = measure(path, kernels=kernels, seconds=seconds)
        if picture:
            from nerone.evaluation.profile_picture import draw_profile

            draw_profile(found, picture, title=path.stem)
        if as_json:
            print_json(found.to_dict())
        else:
            _print(found)


def _profile_board(path: Path, device: str, as_json: bool) -> None:
    from dataclasses import asdict

    from nerone.compilation.board_time import board_time
    from nerone.dpu.boards import find_board
    from nerone.runtime.model import model_path

    found = board_time(model_path(path), find_board(device))
    if as_json:
        print_json(asdict(found))
        return
    units = tuple(found.busy_us)
    print_table(
        ("layer", "span us", *(f"{unit} us" for unit in units), "bottleneck", "MMAC", "kB"),
        [
            (
                layer.name[-40:],
                f"{layer.span_us:.0f}",
                *(f"{layer.busy_us[unit]:.0f}" for unit in units),
                layer.bottleneck,
                f"{layer.macs / 1e6:.1f}" if layer.macs else "",
                f"{layer.moved_bytes / 1e3:.0f}",
            )
            for layer in found.layers
        ],
    )
    busy = ", ".join(f"{unit} {time / found.latency_us:.0%}" for unit, time in found.busy_us.items())
    print(
        f"{found.board}: estimated, not measured: {found.latency_us / 1e3:.2f} ms per image on one core; busy: {busy}"
    )
    print(f"Throughput={found.fps:.1f} fps on {found.cores} cores")


def _print(found: Profile) -> None:
    total = sum(layer.seconds for layer in found.layers) or found.seconds
    peak = found.peak_gmacs
    print_table(
        ("layer", "kind", "kernel", "us", "share", "GMAC/s", "kB", "GB/s", "of limit", "bound by"),
        [
            (
                layer.name[-40:],
                layer.kind,
                layer.kernel,
                f"{layer.seconds * 1e6:.1f}",
                f"{layer.seconds / total:.1%}",
                f"{layer.gmacs:.0f}" if layer.macs else "",
                f"{layer.bytes / 1e3:.0f}",
                f"{layer.gbs:.0f}",
                f"{found.limit_seconds(layer) / layer.seconds:.0%}" if layer.seconds else "",
                found.bound_of(layer),
            )
            for layer in found.layers
        ],
    )
    share = "" if found.fraction_of_peak is None else f", {found.fraction_of_peak:.1%} of the peak of {peak:.0f} GMAC/s"
    print(
        f"{found.kernels}: {found.seconds * 1e6:.0f} us, {1 / found.seconds:.0f} images/s on one thread, "
        f"{found.macs / 1e9:.3f} GMAC{share}"
    )
    print(
        f"planned in {found.plan_seconds * 1e3:.1f} ms; {found.arena_bytes / 1e6:.2f} MB per runner; copy "
        f"{found.cache_gbs:.0f} GB/s in the cache, {found.memory_gbs:.0f} GB/s in memory"
    )
