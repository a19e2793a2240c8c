"""nerone profile FILE: time, GMAC/s and bytes of each layer on the software DPU, beside the processor's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone.cli.console import chosen, file_argument, print_json, print_table

if TYPE_CHECKING:
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
        seconds: float = typer.Option(2.0, "--seconds", help="How long to measure."),
        picture: str = typer.Option(None, "-o", "--picture", help="Draw bars per layer into this file (.png, .svg)."),
        as_json: bool = typer.Option(False, "--json", help="Write everything as JSON."),
    ) -> None:
        """Show where the software DPU's time goes."""
        from nerone.evaluation.profile import profile as measure

        path = file_argument(chosen(file, model_option, "xmodel or bundle"), "file")
        found = measure(path, kernels=kernels, seconds=seconds)
        if picture:
            from nerone.evaluation.profile_picture import draw_profile

            draw_profile(found, picture, title=path.stem)
        if as_json:
            print_json(found.to_dict())
        else:
            _print(found)


def _print(found: Profile) -> None:
    total = sum(layer.seconds for layer in found.layers) or found.seconds
    peak = found.peak_gmacs
    print_table(
        ("layer", "kind", "kernel", "us", "share", "GMAC/s", "of peak", "kB", "GB/s", "of limit"),
        [
            (
                layer.name[-40:],
                layer.kind,
                layer.kernel,
                f"{layer.seconds * 1e6:.1f}",
                f"{layer.seconds / total:.1%}",
                f"{layer.gmacs:.0f}" if layer.macs else "",
                f"{layer.gmacs / peak:.0%}" if layer.macs and peak else "",
                f"{layer.bytes / 1e3:.0f}",
                f"{layer.gbs:.0f}",
                f"{found.limit_seconds(layer) / layer.seconds:.0%}" if layer.seconds else "",
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
